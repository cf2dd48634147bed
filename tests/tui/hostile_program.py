"""The interface over a world in which every text is hostile; run in a pseudo-terminal by test_hostile.py."""

from __future__ import annotations

from kittui.errors import Unreachable
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.reference import LOCAL, Place
from tests.tui.world import LAYERS, World, WorldSource

OSC52 = "\x1b]52;c;SEFDS0VE\x07"
HOSTILE = (
    f"A{OSC52}B\x1b[2J\x1b[31mC\x9b31mD\u009d52;c;SEFDS0VE\u009cE\u202eRLO\u2066F\u200bG\x07H\x08I\x0fJ"
    "[@click=app.quit]K[/] [red]L[/foo] [link=x]M\x1bP1$r\x1b\\N\x7fO\udc9bP\u2028Q\x00R"
)


def hostile() -> World:
    """Hostile tags, repository names, labels, Kitfile, annotations, errors."""
    local = WorldSource(LOCAL)
    repository = local.repository("evil" + HOSTILE)
    kitfile = {
        "manifestVersion": HOSTILE,
        "package": {"name": HOSTILE, "version": HOSTILE, "authors": [HOSTILE], HOSTILE: HOSTILE},
        "model": {"name": HOSTILE, "path": HOSTILE, "parameters": {HOSTILE: HOSTILE}},
        "datasets": [{"name": HOSTILE, "path": HOSTILE, "description": HOSTILE}, {"name": "b", "path": HOSTILE + "b"}],
        "code": [{"path": HOSTILE}],
    }
    repository.add(kitfile, LAYERS[:4], "evil" + HOSTILE, created=HOSTILE)
    repository.signatures = [Descriptor(HOSTILE, Digest.of(b"x"), 1, artifact_type=HOSTILE)]
    repository.problems["broken" + HOSTILE] = "problem " + HOSTILE
    repository.named["broken" + HOSTILE] = "sha256:" + "0" * 64
    registry = WorldSource(Place("remote", "registry.example"))
    registry.failing["repositories"] = Unreachable("error " + HOSTILE, hint="hint " + HOSTILE)
    world = World(local, registry, problems=("setting " + HOSTILE,))
    world.login_error = Unreachable("login " + HOSTILE, hint="hint " + HOSTILE)
    return world


if __name__ == "__main__":
    hostile().app("oci:/nowhere/" + "x").run()
