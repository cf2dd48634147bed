"""Pictures of every screen and state; each docstring says what its picture proves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.errors import ConnectionLost, Denied, Unauthorized, Unreachable
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.reference import LOCAL, Place
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.plan import Change, PlanDialog
from kittui.tui.style.theme import NAMES
from tests.tui.waiting import LARGE, MIDDLE, SMALL, listed, quiet, text_of, to_registry, to_tags, until
from tests.tui.world import LAYERS, World, WorldSource, acme, kitfile

pytestmark = pytest.mark.snapshot
Compare = Callable[..., bool]
Walk = Callable[[Pilot[Any]], Awaitable[None]]
REGISTRY = Place("remote", "registry.acme.dev")
SIZES = pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "100x30", "160x45"])


def walk(*keys: str, to: Walk = to_registry) -> Walk:
    """Go somewhere, then press keys, then wait until all is read."""

    async def walked(pilot: Pilot[Any]) -> None:
        await to(pilot)
        for key in keys:
            await pilot.press(key)
            await quiet(pilot)
        await quiet(pilot)

    return walked


def world(**settings: Any) -> World:
    """The usual world with something of it in the store, and one signature."""
    made = acme(**settings)
    made.held = {str(Digest.of(f"{part}{size}{number}".encode())) for number, (part, size, _) in enumerate(LAYERS[:4])}
    repository = made.sources[REGISTRY].repository("acme/fraud-detector")
    bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    repository.signatures = [Descriptor(bundle, Digest.of(b"signature"), 2048, artifact_type=bundle)]
    return made


@SIZES
def test_repositories(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Sources in one tree, grouped by namespace; the tags of the one under the cursor show without Enter."""
    assert snap_compare(world().app(), terminal_size=size, run_before=walk("1"))


@SIZES
def test_tags(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Tags with stage marks, digests, sizes, ages and ● for what is in the store; layers of the current one."""
    assert snap_compare(world().app(), terminal_size=size, run_before=walk("j"))


@SIZES
def test_layers(snap_compare: Compare, size: tuple[int, int]) -> None:
    """Kitfile parts and layers with bars of relative size, beside the Kitfile."""
    assert snap_compare(world().app(), terminal_size=size, run_before=walk("enter", "j", "j"))


@SIZES
def test_details(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The Kitfile has the keys; annotations, signatures and commands follow it."""
    assert snap_compare(world().app(), terminal_size=size, run_before=walk("4", "G"))


@SIZES
def test_manifest(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The manifest, every token as received."""
    assert snap_compare(world().app(), terminal_size=size, run_before=walk("5"))


@pytest.mark.parametrize("theme", NAMES)
def test_theme(snap_compare: Compare, theme: str) -> None:
    """Each theme draws the same roles: cursor, stages, marks and the focused pane can be told apart."""
    assert snap_compare(world(theme=theme).app(), terminal_size=(120, 30), run_before=walk("j", "space"))


def test_no_colour(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR everything is still told apart by marks, brightness and position."""
    monkeypatch.setenv("NO_COLOR", "1")
    assert snap_compare(world().app(), terminal_size=(120, 30), run_before=walk("j", "space"))


def test_ascii_marks(snap_compare: Compare) -> None:
    """Stage marks for terminals without Unicode."""
    assert snap_compare(world(ascii_marks=True).app(), terminal_size=MIDDLE, run_before=walk())


def test_filter(snap_compare: Compare) -> None:
    """A filter stands in the pane's title with how many of how many."""
    assert snap_compare(world().app(), terminal_size=MIDDLE, run_before=walk("slash", "v", "1"))


def test_filter_finds_nothing(snap_compare: Compare) -> None:
    """A filter that leaves nothing says so, and how to clear it."""
    assert snap_compare(world().app(), terminal_size=MIDDLE, run_before=walk("slash", "z", "z"))


def test_grouped(snap_compare: Compare) -> None:
    """Tags on one digest one below the other, with ditto marks."""
    assert snap_compare(world().app(), terminal_size=MIDDLE, run_before=walk("equals_sign"))


def test_read_only(snap_compare: Compare) -> None:
    """Read-only mode is said in the header."""
    assert snap_compare(world(read_only=True).app(), terminal_size=MIDDLE, run_before=walk())


def test_favourites(snap_compare: Compare) -> None:
    """Favourites of all places come first."""
    favourites = ("local://acme/fraud-detector", "local://sentiment")
    assert snap_compare(world(favourites=favourites).app(), terminal_size=MIDDLE, run_before=walk(to=listed))


def test_help(snap_compare: Compare) -> None:
    """Help lists the keys that are live, by heading."""
    assert snap_compare(world().app(), terminal_size=(100, 40), run_before=walk("question_mark"))


def test_palette(snap_compare: Compare) -> None:
    """The palette lists the same commands."""

    async def open_palette(pilot: Pilot[Any]) -> None:
        await to_registry(pilot)
        await pilot.press("colon")
        await until(pilot, lambda: "Group  =" in text_of(pilot))

    assert snap_compare(world().app(), terminal_size=MIDDLE, run_before=open_palette)


def test_copy_menu(snap_compare: Compare) -> None:
    """What can be copied, with the text itself."""
    assert snap_compare(world().app(), terminal_size=MIDDLE, run_before=walk("y"))


def test_copied(snap_compare: Compare) -> None:
    """The copied text is always shown too, as no terminal says whether it took it."""
    assert snap_compare(world().app(), terminal_size=MIDDLE, run_before=walk("y", "enter"))


def test_open_dialog(snap_compare: Compare) -> None:
    """Opening by name, with completions of what is known."""
    assert snap_compare(world().app(), terminal_size=MIDDLE, run_before=walk("o", *"fraud"))


def test_login_dialog(snap_compare: Compare) -> None:
    """A refused password: the dialog stays, says why, and shows no secret."""
    made = world()
    made.login_error = Denied("registry.acme.dev refused this name and password", hint="Check them and try again.")

    async def refused(pilot: Pilot[Any]) -> None:
        await walk("L")(pilot)
        await pilot.press(*"ann", "enter", *"secret", "enter")
        await until(pilot, lambda: "refused" in text_of(pilot))

    assert snap_compare(made.app(), terminal_size=MIDDLE, run_before=refused)


def show(dialog: Any) -> Walk:
    """Open a dialog over the tags."""

    async def shown(pilot: Pilot[Any]) -> None:
        await to_registry(pilot)
        pilot.app.push_screen(dialog)
        await pilot.pause()

    return shown


def test_plan_dialog(snap_compare: Compare) -> None:
    """A plan names the place first, then tags from what to what, costs, a reason and the choices."""
    dialog = PlanDialog(
        "Promote acme/fraud-detector",
        "registry.acme.dev",
        [
            Change("rollback", "2304e6a01e6c (v0.9.0)", "9f21a6b64d06 (v1.0.0)"),
            Change("champion", "9f21a6b64d06 (v1.0.0)", "c6cf1d79ed4c (v1.1.0)"),
        ],
        [Choice("promote", "Promote")],
        notes=["2304e6a01e6c loses its last stage; v0.9.0 still names it."],
        costs="10 requests, 6 kB. Nothing is copied or deleted. z undoes it.",
        reason=True,
    )
    assert snap_compare(world().app(), terminal_size=MIDDLE, run_before=show(dialog))


def test_choice_dialog(snap_compare: Compare) -> None:
    """Choices with what can't be chosen, and why."""
    dialog = ChoiceDialog(
        "Untag champion",
        [
            Choice("untag", "Remove the tag alone", refused="Distribution 2.8 can't"),
            Choice("placeholder", "Use a placeholder", "points the tag at a placeholder and deletes that"),
            Choice("delete", "Delete the ModelKit", "with both tags"),
        ],
        ["registry.acme.dev runs Distribution 2.8: it cannot remove a tag alone.", "v1.0.0 is on the same digest."],
    )
    assert snap_compare(world().app(), terminal_size=SMALL, run_before=show(dialog))


def test_confirm_dialog(snap_compare: Compare) -> None:
    """What is protected wants its name typed; until then it can't be chosen."""
    words = ["champion is protected.", "9f21a6b64d06 keeps its other tag, v1.0.0."]
    dialog = ConfirmDialog("Remove champion", words, "Remove it", danger=True, typed="champion")
    assert snap_compare(world().app(), terminal_size=SMALL, run_before=show(dialog))


def test_loading(snap_compare: Compare) -> None:
    """What takes longer than 300 ms says what is being asked of whom."""
    made = world(reduced_motion=True)

    async def waiting(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        made.sources[REGISTRY].slow = asyncio.Event()
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: "Asking registry.acme.dev" in text_of(pilot))

    assert snap_compare(made.app(), terminal_size=SMALL, run_before=waiting)


def test_names_before_cells(snap_compare: Compare) -> None:
    """Tag names are there at once; what only manifests tell is still a dot."""
    made = world(reduced_motion=True)
    registry = made.sources[REGISTRY]
    ask = registry.ask

    async def slow(what: str, about: str) -> None:
        if what == "manifest":
            await asyncio.Event().wait()
        await ask(what, about)

    async def waiting(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        registry.ask = slow  # type: ignore[method-assign]
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: "vision/edge" in text_of(pilot))
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: "Reading the manifest of" in text_of(pilot))

    assert snap_compare(made.app(), terminal_size=SMALL, run_before=waiting)


def test_empty_store(snap_compare: Compare) -> None:
    """An empty store says what would be here and how to get it."""

    async def asked(pilot: Pilot[Any]) -> None:
        await until(pilot, lambda: "holds no ModelKits" in text_of(pilot))

    assert snap_compare(World(WorldSource(LOCAL)).app(), terminal_size=SMALL, run_before=asked)


def failing(**errors: Any) -> World:
    """A world whose registry fails."""
    made = world()
    made.sources[REGISTRY].failing.update(errors)
    return made


def at_place(says: str, down: int = 3) -> Walk:
    """Open the place that many rows below, and wait until it says something."""

    async def opened(pilot: Pilot[Any]) -> None:
        await listed(pilot)
        await pilot.press(*["j"] * down, "enter")
        await until(pilot, lambda: says in " ".join(text_of(pilot).split()))
        await quiet(pilot)

    return opened


def test_unauthorised(snap_compare: Compare) -> None:
    """A registry that wants a login says so, with the key and the command for it."""
    made = failing(repositories=Unauthorized("401 from registry.acme.dev"))
    assert snap_compare(made.app(), terminal_size=SMALL, run_before=at_place("requires a login"))


def test_no_catalog(snap_compare: Compare) -> None:
    """A registry without a catalog says why, and how to type a repository."""
    assert snap_compare(world().app(), terminal_size=SMALL, run_before=at_place("does not list", 4))


def test_unreachable(snap_compare: Compare) -> None:
    """A registry that can't be reached: what failed, what to do."""
    error = Unreachable("registry.acme.dev refused the connection", hint="Is it running? Is a proxy needed?")
    made = failing(repositories=error)
    assert snap_compare(made.app(), terminal_size=SMALL, run_before=at_place("refused the connection"))


def test_tags_failed(snap_compare: Compare) -> None:
    """Tags that can't be listed."""
    made = failing(tags=Denied("registry.acme.dev does not let you read acme/fraud-detector"))

    async def opened(pilot: Pilot[Any]) -> None:
        await at_place("vision/edge")(pilot)
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: "does not let you" in text_of(pilot))

    assert snap_compare(made.app(), terminal_size=MIDDLE, run_before=opened)


def test_stale(snap_compare: Compare) -> None:
    """A refresh that fails keeps the older rows and says that they are old."""
    made = world()

    async def refreshed(pilot: Pilot[Any]) -> None:
        await to_registry(pilot)
        made.sources[REGISTRY].failing["tags"] = ConnectionLost("the connection to registry.acme.dev was lost")
        await pilot.press("r")
        await until(pilot, lambda: "was lost" in text_of(pilot))

    assert snap_compare(made.app(), terminal_size=MIDDLE, run_before=refreshed)


def partial() -> World:
    """A world with tags that can't be read."""
    made = world()
    repository = made.sources[REGISTRY].repository("acme/fraud-detector")
    for tag in ("v0.9.0", "v0.8.0"):
        repository.problems[tag] = "the manifest is missing in the registry"
    return made


def test_partial(snap_compare: Compare) -> None:
    """Some tags could not be read: their rows say why, the others are whole."""
    assert snap_compare(partial().app(), terminal_size=MIDDLE, run_before=walk())


def test_unreadable_tag(snap_compare: Compare) -> None:
    """With the cursor on an unreadable tag the reason is told in full."""
    assert snap_compare(partial().app(), terminal_size=LARGE, run_before=walk("G"))


def test_no_layers(snap_compare: Compare) -> None:
    """A ModelKit without layers is not an error."""
    made = World(local := WorldSource(LOCAL))
    local.repository("edge").add({"manifestVersion": "1.0.0", "package": {"name": "edge"}}, [], "minimal")
    assert snap_compare(made.app(), terminal_size=SMALL, run_before=walk("enter", to=to_tags))


def test_too_small(snap_compare: Compare) -> None:
    """Below 60 by 15 there is one plain sentence."""
    assert snap_compare(world().app(), terminal_size=(50, 10))


def test_long_names(snap_compare: Compare) -> None:
    """Long, wide and hostile names are cut and cleaned, and columns stay aligned."""
    made = World(local := WorldSource(LOCAL))
    repository = local.repository("team/a-repository-with-a-name-that-is-far-too-long-for-any-pane")
    repository.add(
        kitfile("1.0.0"), LAYERS, "a-tag-with-a-name-that-is-far-too-long-for-any-pane-on-this-screen", "模型"
    )
    repository.add(kitfile("1.0.1"), LAYERS, "[red]x[/] \x1b[31mred\u202eevil")
    assert snap_compare(made.app(), terminal_size=MIDDLE, run_before=walk(to=to_tags))


def test_not_a_modelkit(snap_compare: Compare) -> None:
    """What is not a ModelKit is labelled for what it is."""
    import json

    made = world()
    repository = made.sources[REGISTRY].repository("acme/fraud-detector")
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": str(Digest.of(b"{}")), "size": 2}
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": str(Digest.of(b"l")), "size": 52_000}
    raw = json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode()
    repository.manifests[str(Digest.of(raw))] = raw
    repository.configs[str(Digest.of(b"{}"))] = b"{}"
    repository.named["serving-image"] = str(Digest.of(raw))
    assert snap_compare(made.app(), terminal_size=LARGE, run_before=walk("G"))
