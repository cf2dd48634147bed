"""What the viewer shows of each kind of file."""

from __future__ import annotations

import io
import sys
from types import ModuleType
from typing import Any

import pytest
from textual.widgets import Static

from kittui.errors import Malformed
from kittui.formats.model_file import header_budget, read_weights
from kittui.formats.need import run_bytes
from kittui.tui.inspect import pictures
from kittui.tui.inspect.pages import lines_page
from kittui.tui.inspect.pictures import picture_page
from kittui.tui.widgets.lines import Page
from kittui.usecases.inspect.facts import gathered
from kittui.usecases.inspect.models import Model
from kittui.usecases.inspect.viewers.pictures import decode_picture
from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import OpenFile, Shown, Tensors
from kittui.usecases.inspect.views import BytesView
from tests.fakes.layers import layer_of


def shown(page: Page) -> str:
    return "\n".join(line if isinstance(line, str) else "".join(span[0] for span in line) for line in page.lines)


def test_images_are_scaled_and_what_is_none_is_refused() -> None:
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    picture = image.new("RGB", (400, 200))
    picture.paste((255, 0, 0), (0, 0, 200, 200))
    picture.save(out, "PNG")
    page = picture_page(decode_picture(out.getvalue(), 80), 80)
    assert "PNG  400 x 200" in shown(page)
    first = page.lines[2]
    assert sum(len(part[0]) for part in first) == 80
    assert first[0][1] == "#ff0000 on #ff0000"
    assert first[-1][1] == "#000000 on #000000"
    assert len(page.lines) == 2 + 20
    for bad in (b"", b"\x89PNG\r\n\x1a\n" + bytes(50), out.getvalue()[:60]):
        with pytest.raises(Malformed):
            decode_picture(bad, 80)


@pytest.mark.parametrize(
    ("environ", "asked"),
    [
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, True),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, False),
        ({"TERM": "xterm-256color"}, False),
        ({}, False),
    ],
    ids=["kitty", "wezterm", "tmux", "xterm", "nothing"],
)
def test_only_terminals_that_draw_images_are_asked_how(
    environ: dict[str, str], asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[str] = []
    monkeypatch.setattr(pictures, "import_module", imported.append)
    pictures.prepare(environ)
    assert imported == (["textual_image.widget"] if asked else [])


def test_a_terminal_that_draws_images_is_given_a_bounded_one(monkeypatch: pytest.MonkeyPatch) -> None:
    image = pytest.importorskip("PIL.Image")
    out = io.BytesIO()
    image.new("RGB", (4000, 1000)).save(out, "PNG")
    picture = decode_picture(out.getvalue(), 2000)
    assert pictures.drawn(picture, 80) is None

    class Drawn(Static):
        def __init__(self, shown: Any) -> None:
            super().__init__()
            self.shown = shown

    module = ModuleType("textual_image.widget")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    assert pictures.drawn(picture, 80) is None
    vars(module)["HalfcellImage"] = vars(module)["Image"] = Static
    assert pictures.drawn(picture, 80) is None
    vars(module)["Image"] = Drawn
    widget = pictures.drawn(picture, 80)
    assert isinstance(widget, Drawn)
    assert widget.shown.size == (2000, 500)


async def opened(path: str, content: bytes, **more: Any) -> Shown:
    return await show(OpenFile(path, BytesView(content, verified=True), **more))


def said(file: Shown) -> str:
    """Everything that a file shows, whichever way."""
    return "\n".join(shown(lines_page(way.content)) for way in file.ways) + file.trouble


@pytest.mark.parametrize("path", ["a.md", "a.py", "a.json", "a.yaml", "a.csv", "a.jsonl", "a.txt", "a.ipynb"])
async def test_control_characters_never_get_through(path: str) -> None:
    nasty = "# x\x1b]52;c;AAAA\x07 \u202e\n[@click=app.quit]y[/]\n"
    assert not {"\x1b", "\x07", "\u202e"} & set(said(await opened(path, nasty.encode())))


async def test_tables_are_aligned_and_numbered() -> None:
    lines = said(await opened("a.csv", b"id,amount\nx,2\ny,10\n")).split("\n")
    assert [line.split() for line in lines] == [["id", "amount"], ["1", "x", "2"], ["2", "y", "10"]]
    assert lines[1].rstrip().endswith("     2")


def test_a_model_file_says_what_it_holds() -> None:
    header = b'{"__metadata__":{"format":"pt"},"a.b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
    content = len(header).to_bytes(8, "little") + header + bytes(24)
    weights = run_bytes(read_weights("x.safetensors", len(content), header_budget()), content)
    facts = gathered({}, weights, None, layer_of(content))
    text = shown(lines_page(Tensors(Model(weights, (), verified=True), facts)))
    assert "a.b" in text
    assert "[2, 3]" in text
    assert "F32 6" in text
    assert "format" in text
