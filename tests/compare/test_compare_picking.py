"""Choosing what to compare: marks, pairs available, copies in other places, references typed with completion."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.errors import BadReference, Unauthorized, Unsupported
from kittui.modelkit.stages import LifecycleTags
from kittui.oci.digest import Digest
from kittui.oci.reference import LOCAL, Place
from kittui.oci.tag import Tag
from kittui.tui.compare.pick_dialog import PickDialog
from kittui.tui.compare.picking import in_order, own_digest
from kittui.tui.compare.screen import CompareScreen
from kittui.usecases.diff.compare import Side
from tests.fakes.memory import MemorySource
from tests.tui.waiting import LARGE, MIDDLE, SMALL, browse, quiet, text_of, to_registry, to_tags
from tests.tui.waiting import until as until_within
from tests.tui.world import WorldSource, acme, fill

REGISTRY = Place("remote", "registry.acme.dev")
OTHER = Place("remote", "other.example.org")
SIZES = pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "100x30", "160x45"])


async def until(pilot: Pilot[Any], condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until something is true, on a busy machine too."""
    await until_within(pilot, condition, seconds)


async def picking(pilot: Pilot[Any]) -> PickDialog:
    """Press d and wait for the dialog."""
    await pilot.press("d")
    await until(pilot, lambda: isinstance(pilot.app.screen, PickDialog))
    screen = pilot.app.screen
    assert isinstance(screen, PickDialog)
    return screen


async def compared(pilot: Pilot[Any]) -> list[tuple[str, str]]:
    """Wait for the comparison; the places and targets of its sides."""
    await until(pilot, lambda: isinstance(pilot.app.screen, CompareScreen))
    screen = pilot.app.screen
    assert isinstance(screen, CompareScreen)
    await until(pilot, lambda: not screen.working, 60)
    return [(str(side.repository.source.place), side.target) for side in screen.sides]


async def to_place(pilot: Pilot[Any], place: Place) -> None:
    """Go to the challenger of the same repository in another place."""
    browse(pilot).open(place, "acme/fraud-detector", None)
    await until(
        pilot, lambda: browse(pilot).selection.place == place and browse(pilot).selection.repository is not None
    )
    await quiet(pilot)
    browse(pilot).go("tags")
    await quiet(pilot)
    await pilot.press("g", "j")
    await quiet(pilot)
    assert browse(pilot).selection.target == "challenger"


async def type_in(pilot: Pilot[Any], text: str) -> None:
    """Put a text into the dialog's line as if it were typed at once."""
    await pilot.press("slash")
    pilot.app.screen.query_one(Input).value = text
    await pilot.pause()


@SIZES
async def test_the_champion_in_the_registry_with_the_copy_in_the_store(size: tuple[int, int]) -> None:
    async with acme().app().run_test(size=size) as pilot:
        await to_registry(pilot)
        await picking(pilot)
        assert "its copy in the local store" in text_of(pilot)
        await pilot.press("down", "down", "enter")
        assert await compared(pilot) == [(str(LOCAL), "champion"), (str(REGISTRY), "champion")]
        shown = text_of(pilot)
        assert "champion (store)" in shown
        assert "champion (registry.acme.dev)" in shown
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


async def test_the_copy_in_the_store_with_the_champion_in_the_registry() -> None:
    """From the store, the registry is offered once it was listed; nothing is asked of it before it is chosen."""
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        await to_place(pilot, LOCAL)
        asked = world.sources[REGISTRY].asked.copy()
        await picking(pilot)
        assert "the same tag on registry.acme.dev" in text_of(pilot)
        assert world.sources[REGISTRY].asked == asked
        await type_in(pilot, "registry.acme.dev")
        await pilot.press("enter")
        assert await compared(pilot) == [(str(REGISTRY), "challenger"), (str(LOCAL), "challenger")]


async def test_two_registries_by_a_typed_reference() -> None:
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        world.sources[OTHER] = WorldSource(OTHER)
        fill(world.sources[OTHER].repository("team/fraud"))
        await picking(pilot)
        await type_in(pilot, "other.example.org/team/fraud:v1.1.0")
        await pilot.press("enter")
        assert await compared(pilot) == [(str(REGISTRY), "champion"), (str(OTHER), "v1.1.0")], "the older one first"


async def test_a_repository_without_a_tag_is_compared_at_the_same_tag() -> None:
    world = acme()
    world.sources[OTHER] = WorldSource(OTHER)
    fill(world.sources[OTHER].repository("team/fraud"))
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        await picking(pilot)
        await type_in(pilot, "other.example.org/team/fraud")
        await pilot.press("enter")
        assert await compared(pilot) == [(str(OTHER), "champion"), (str(REGISTRY), "champion")]


@SIZES
async def test_a_typed_reference_is_completed_to_its_tag(size: tuple[int, int]) -> None:
    async with acme().app().run_test(size=size) as pilot:
        await to_registry(pilot)
        dialog = await picking(pilot)
        line = dialog.query_one(Input)
        await pilot.press("slash", *"price")
        await until(pilot, lambda: "price-model: " in text_of(pilot))
        await pilot.press("tab")
        await until(pilot, lambda: line.value.endswith("acme/price-model:"))
        await until(pilot, lambda: "price-model:v1.0.0" in text_of(pilot))
        await pilot.press("v", "tab")
        await until(pilot, lambda: line.value.endswith("acme/price-model:v1.0.0"))
        await pilot.press("enter")
        assert await compared(pilot) == [(str(REGISTRY), "v1.0.0"), (str(REGISTRY), "champion")]
        assert "acme/price-model:v1.0.0" in text_of(pilot), "two repositories are told apart"


async def test_typing_filters_the_tags() -> None:
    async with acme().app().run_test(size=SMALL) as pilot:
        await to_registry(pilot)
        dialog = await picking(pilot)
        await pilot.press("slash", *"v0.8")
        await until(pilot, lambda: "v0.8.0 ↔ champion" in text_of(pilot))
        assert "v0.9.0 ↔ champion" not in text_of(pilot)
        await pilot.press("enter")
        assert await compared(pilot) == [(str(REGISTRY), "v0.8.0"), (str(REGISTRY), "champion")]
        assert dialog not in pilot.app.screen_stack


@pytest.mark.parametrize(
    ("typed", "says"),
    [("registry.acme.dev/UPPER:v1", "✗"), ("ghcr.io", "is a source, not a ModelKit"), ("oci:", "✗")],
)
async def test_a_wrong_reference_says_so_in_the_dialog(typed: str, says: str) -> None:
    async with acme().app().run_test(size=SMALL) as pilot:
        await to_registry(pilot)
        dialog = await picking(pilot)
        await type_in(pilot, typed)
        await pilot.press("enter")
        await until(pilot, lambda: says in text_of(pilot))
        assert pilot.app.screen is dialog
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


async def test_tags_that_cannot_be_listed_say_why_and_the_reference_is_still_taken() -> None:
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        world.sources[REGISTRY].failing["tags"] = Unauthorized("registry.acme.dev wants a login", hint="Press L.")
        await picking(pilot)
        await type_in(pilot, "registry.acme.dev/acme/price-model:")
        await until(pilot, lambda: "wants a login" in text_of(pilot))
        await type_in(pilot, "registry.acme.dev/acme/price-model:v1.0.0")
        await pilot.press("enter")
        assert await compared(pilot) == [(str(REGISTRY), "v1.0.0"), (str(REGISTRY), "champion")]


async def test_two_marks_in_two_places_are_compared_at_once() -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await to_tags(pilot)
        await pilot.press("space")
        await to_place(pilot, REGISTRY)
        await pilot.press("space", "d")
        assert await compared(pilot) == [(str(LOCAL), "champion"), (str(REGISTRY), "challenger")]


async def test_layers_that_cannot_be_read_say_so_and_the_rest_is_there() -> None:
    """This world keeps no blobs: the Kitfile is compared all the same, and n stops at what could not be."""
    async with acme().app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        await picking(pilot)
        await pilot.press("down", "enter")
        await compared(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, CompareScreen)
        shown = text_of(pilot)
        assert "package.version" in shown
        assert "1.0.0 → 0.9.0" in shown
        assert "could not be compared" in shown
        await pilot.press("N")
        await until(pilot, lambda: "this world keeps no blobs" in text_of(pilot))
        assert "It is made of manifests alone." in text_of(pilot)


async def test_a_place_that_fails_says_so_on_the_screen() -> None:
    world = acme()
    async with world.app().run_test(size=SMALL) as pilot:
        await to_registry(pilot)
        world.sources[REGISTRY].failing["manifest"] = Unsupported("registry.acme.dev is being repaired", hint="Wait.")
        world.cache.clear()
        await picking(pilot)
        await pilot.press("enter")
        await compared(pilot)
        assert "registry.acme.dev is being repaired" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


@pytest.mark.parametrize(
    ("a", "b", "times", "turned"),
    [
        ("v1.1.0", "v1.0.0", (None, None), True),
        ("v1.9.0", "v1.10.0", (None, None), False),
        ("2.0.0", "2.0.0-rc.1", ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"), True),
        ("v1.0.0", "v1.1.0", ("2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"), True),
        ("nightly", "best", ("2026-01-01T00:00:00+02:00", "2025-12-31T23:00:00Z"), False),
        ("nightly", "best", ("2026-01-01T00:00:00Z", "no time"), False),
        ("challenger", "champion", ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), True),
        ("champion", "rollback", ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"), True),
        ("champion", "v1.0.0", ("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z"), True),
    ],
)
async def test_what_is_older_is_the_old_side(
    a: str, b: str, times: tuple[str | None, str | None], turned: bool
) -> None:
    repository, created = MemorySource().repository("kits"), dict(zip((a, b), times, strict=True))

    async def modelkit(_: Any, target: str) -> Any:
        return SimpleNamespace(created=created[target])

    ports = SimpleNamespace(settings=SimpleNamespace(lifecycle=LifecycleTags()), modelkit=modelkit)
    context: Any = SimpleNamespace(ports=ports, browser=SimpleNamespace(known_digests=lambda _: {}))
    pair = await in_order(context, (Side(repository, Tag(a)), Side(repository, Tag(b))))
    assert [side.target for side in pair] == ([b, a] if turned else [a, b])


async def test_marks_are_compared_old_with_new_whatever_was_marked_first() -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        await pilot.press("g")
        await quiet(pilot)
        names = [browse(pilot).selection.target]
        await pilot.press("j")
        await quiet(pilot)
        names.append(browse(pilot).selection.target)
        assert names == ["champion", "challenger"]
        await pilot.press("space", "g", "space", "d")
        assert [target for _, target in await compared(pilot)] == names
        await until(pilot, lambda: "old champion" in text_of(pilot))
        assert "new challenger" in text_of(pilot)


@pytest.mark.parametrize("form", ["{}", "@{}", "{:.19}", "@{:.19}", "short", "SHORT"])
async def test_a_digest_is_looked_for_in_this_repository(form: str) -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        repository = browse(pilot).selection.repository
        assert repository is not None
        digest = browse(pilot).known_digests(repository)[Tag("challenger")]
        await picking(pilot)
        short = {"short": digest.short, "SHORT": digest.short.upper()}
        await type_in(pilot, short.get(form) or form.format(str(digest)))
        await pilot.press("enter")
        assert (str(REGISTRY), digest) in await compared(pilot)


@pytest.mark.parametrize("typed", ["sha256:12", "@sha256:", "@challenger", "abcdef012345", f"sha256:{'A' * 63}"])
async def test_a_digest_that_nothing_has_says_so_in_the_dialog(typed: str) -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        dialog = await picking(pilot)
        await type_in(pilot, typed)
        await pilot.press("enter")
        await until(pilot, lambda: "No digest that was listed here begins with" in text_of(pilot))
        assert pilot.app.screen is dialog


def test_the_beginning_of_two_digests_names_neither() -> None:
    both = [Digest(f"sha256:abcdef01{end * 56}") for end in "12"]
    with pytest.raises(BadReference, match="More than one digest"):
        own_digest("abcdef01", both)
    assert own_digest("abcdef011", both) == both[0]
    assert own_digest("registry.acme.dev/kits:abcdef01", both) is None
    assert own_digest("v1", both) is None
