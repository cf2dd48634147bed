"""Nothing in the program is there for nobody: neither the program nor its tests call it by its name."""

from __future__ import annotations

from pathlib import Path

from vulture import Vulture

ROOT = Path(__file__).parents[2]
CALLED_BY_OTHERS = (
    # Textual
    *("action_*", "on_*", "watch_*", "render", "render_line", "control", "get_default_screen", "get_system_commands"),
    *("animation_level", "border_title", "border_subtitle", "can_focus", "cursor_blink", "cursor_position"),
    *("max_height", "min_height", "check_action"),
    *("AUTO_FOCUS", "CSS_PATH", "DEFAULT_CSS", "TITLE"),
    # Pillow
    "MAX_IMAGE_PIXELS",
    # asyncio, click, pydantic, Python
    *("exc", "pipe_connection_lost", "pipe_data_received", "process_exited"),
    *(
        "format_commands",
        "list_commands",
        "resolve_command",
        "WholeWords",
        "source_template",
        "model_config",
        "seekable",
        "__getattr__",
    ),
)


def test_nothing_in_the_program_is_unused() -> None:
    search = Vulture(ignore_names=CALLED_BY_OTHERS, ignore_decorators=("@on", "@field_validator", "@model_validator"))
    search.scavenge([ROOT / "kittui", ROOT / "tests", ROOT / "docs"], exclude=["*/fixtures/*"])

    found = [item for item in search.get_unused_code() if Path(item.filename).is_relative_to(ROOT / "kittui")]
    assert [f"{item.filename}:{item.first_lineno} {item.name}" for item in found] == []
