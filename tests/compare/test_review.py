"""A review is kept for two digests: ticks, notes and a verdict, in the interface and in every report."""

from __future__ import annotations

import json
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from kittui.compare.as_json import to_json
from kittui.compare.html import to_html
from kittui.compare.markdown import to_markdown
from kittui.compare.review import Review, changes_of
from kittui.errors import StorageError
from kittui.oci.tag import Tag
from kittui.state.reviews import Reviews
from kittui.store import LocalSource
from kittui.tui.app import KittuiApp
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.prompt import TYPED_BEFORE, InputDialog
from kittui.tui.widgets.rows import Rows
from kittui.usecases.diff.compare import DiffUseCase, Side
from kittui.usecases.inspect.inspector import Inspector
from tests.change.kits import said
from tests.compare.kits import opened
from tests.tui.waiting import LARGE, quiet, text_of, until
from tests.tui.world import acme

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def test_what_is_kept_is_read_again_and_nothing_else(tmp_path: Path) -> None:
    reviews = Reviews(tmp_path)
    assert reviews.read(A, B) is None
    review = Review().ticked("one").ticked("two").ticked("one").noted("two", " why? ").noted("one", "")
    reviews.write(A, B, review.to_json())
    assert Review.from_json(reviews.read(A, B)) == Review(frozenset({"two"}), {"two": "why?"})
    assert reviews.read(B, A) is None
    (path,) = (tmp_path / "reviews").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert reviews.has_others(B)
    assert not reviews.has_others(A)
    wrong = b'{"seen": 1, "notes": [], "verdict": 3, "changes": true, "left": "0"}'
    for broken in (b"[", b"[]", wrong, b"[" * 100_000):
        path.write_bytes(broken)
        assert Review.from_json(reviews.read(A, B)).empty
    with pytest.raises(ValueError, match="two digests"):
        reviews.read("../../etc/passwd", B)


async def test_a_review_is_kept_and_reported(kithome: Path, tmp_path: Path) -> None:
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    case = DiffUseCase(opened, Inspector(), (), Reviews(tmp_path / "state"))
    a, b = Side(repository, Tag("champion")), Side(repository, Tag("challenger"))

    async def open_it(pilot: Any, app: KittuiApp) -> CompareScreen:
        await quiet(pilot)
        screen = CompareScreen(case, a, b)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.comparison is not None and screen.comparison.complete)
        await quiet(pilot)
        return screen

    app = acme().app()
    async with app.run_test(size=LARGE) as pilot:
        screen = await open_it(pilot, app)
        await pilot.press("space")
        await until(pilot, lambda: "change 2 of 14 · 13 left" in text_of(pilot))
        assert any("✓" in line and "package.version" in line for line in text_of(pilot).splitlines())
        await pilot.press("a")
        await until(pilot, lambda: "An empty note" in text_of(pilot))
        await pilot.press(*"<b>why</b>", "enter")
        await until(pilot, lambda: "✎ <b>why</b>" in text_of(pilot))
        await pilot.press("v")
        await until(pilot, lambda: "13 changes left to review." in text_of(pilot))
        await pilot.press("enter")
        await quiet(pilot)
        assert screen._reviewing.review.verdict == ""
        await pilot.press("v")
        await until(pilot, lambda: "13 changes left to review." in text_of(pilot))
        await pilot.press("a", "enter")
        await until(pilot, lambda: "13 left · approved" in text_of(pilot))
        comparison, review = screen.comparison, screen._reviewing.review
        assert comparison is not None
        assert len(changes_of(comparison)) == 14
    app = acme().app()
    async with app.run_test(size=LARGE) as pilot:
        screen = await open_it(pilot, app)
        await until(pilot, lambda: "change 1 of 14 · 13 left · approved" in text_of(pilot))
        rows: Any = screen.query_one("#changes", Rows)
        assert rows.marked == {"Kitfile/package.version"}
        for _ in range(14):
            await pilot.press("space")
            await quiet(pilot)
        await until(pilot, lambda: "1 left · approved" in text_of(pilot))
        kept = Review.from_json(Reviews(tmp_path / "state").read(comparison.a.digest, comparison.b.digest))
        assert (kept.changes, kept.left, kept.whole) == (14, 1, False)
        old = {key: value for key, value in kept.to_json().items() if key not in ("changes", "left")}
        Reviews(tmp_path / "state").write(comparison.a.digest, comparison.b.digest, old)
    app = acme().app()
    async with app.run_test(size=LARGE) as pilot:
        screen = await open_it(pilot, app)
        await until(pilot, lambda: "1 left · approved" in text_of(pilot))
        await quiet(pilot)
    again = Review.from_json(Reviews(tmp_path / "state").read(comparison.a.digest, comparison.b.digest))
    assert again == kept
    markdown, page, document = to_markdown(comparison, review), to_html(comparison, review), to_json(comparison, review)
    assert "**Approved. 1 of 14 changes seen.**".replace(".", "") in markdown.replace("\\", "").replace(".", "")
    assert "- `model.version`: &lt;b&gt;why&lt;/b&gt;" in markdown
    assert "<h2>Review</h2><p><strong>Approved. 1 of 14 changes seen.</strong></p>" in page
    assert "&lt;b&gt;why&lt;/b&gt;" in page
    assert document["review"]["verdict"] == "approved"
    assert json.loads(json.dumps(document["review"]["notes"])) == {"Kitfile/model.version": "<b>why</b>"}
    assert "review" not in to_json(comparison)


class HeldReviews(Reviews):
    """Reading one waits until it may; with `full`, nothing can be written."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.may = threading.Event()
        self.full = False

    def read(self, a: str, b: str) -> Any:
        assert self.may.wait(30)
        return super().read(a, b)

    def write(self, a: str, b: str, document: Any) -> None:
        if self.full:
            raise StorageError("the disk is full", hint="Make room.")
        super().write(a, b, document)


@pytest.mark.parametrize("key", ["space", "a", "v"])
async def test_nothing_is_written_over_a_review_that_is_still_read(kithome: Path, tmp_path: Path, key: str) -> None:
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    a, b = [str((await repository.resolve(Tag(tag))).digest) for tag in ("champion", "challenger")]
    disk, reviews = Reviews(tmp_path), HeldReviews(tmp_path)
    kept = Review(frozenset({"model.version"}), {"model.version": "why?"}, "approved")
    for pair in ((a, b), (b, a)):
        disk.write(*pair, kept.to_json())

    def on_disk(*pair: str) -> Review:
        return Review.from_json(disk.read(*pair))

    case = DiffUseCase(opened, Inspector(), (), reviews)
    async with acme().app().run_test(size=LARGE, notifications=True) as pilot:
        await quiet(pilot)
        screen = CompareScreen(case, Side(repository, Tag("champion")), Side(repository, Tag("challenger")))
        await pilot.app.push_screen(screen)

        def is_shown(old: str) -> bool:
            comparison = screen.comparison
            return comparison is not None and comparison.complete and comparison.a.digest == old

        def is_counted(pair: tuple[str, str]) -> bool:
            return on_disk(*pair).left is not None

        def is_ticked(pair: tuple[str, str]) -> bool:
            return len(on_disk(*pair).seen) == 2

        for pair in ((a, b), (b, a)):
            await until(pilot, partial(is_shown, pair[0]))
            assert screen._reviewing.review == Review()
            pilot.app.clear_notifications()
            await pilot.press(key)
            await until(pilot, lambda: "The review is still being read." in said(pilot))
            assert pilot.app.screen is screen
            assert on_disk(*pair) == kept
            reviews.may.set()
            await until(pilot, partial(is_counted, pair))
            await pilot.press("space")
            await until(pilot, partial(is_ticked, pair))
            assert (on_disk(*pair).verdict, on_disk(*pair).notes) == (kept.verdict, kept.notes)
            reviews.may.clear()
            await pilot.press("w")
        reviews.may.set()


async def test_a_count_that_cannot_be_kept_is_said(kithome: Path, tmp_path: Path) -> None:
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    sides = [Side(repository, Tag(tag)) for tag in ("champion", "challenger")]
    a, b = [str((await repository.resolve(side.target)).digest) for side in sides]
    reviews = HeldReviews(tmp_path)
    reviews.write(a, b, Review(verdict="approved").to_json())
    reviews.full = True
    reviews.may.set()
    async with acme().app().run_test(size=LARGE, notifications=True) as pilot:
        await quiet(pilot)
        await pilot.app.push_screen(CompareScreen(DiffUseCase(opened, Inspector(), (), reviews), *sides))
        await until(pilot, lambda: "the disk is full\nMake room." in said(pilot))
        assert "fault" not in said(pilot)


@pytest.fixture
def reviewed(kithome: Path, tmp_path: Path) -> CompareScreen:
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    sides = Side(repository, Tag("champion")), Side(repository, Tag("challenger"))
    return CompareScreen(DiffUseCase(opened, Inspector(), (), Reviews(tmp_path / "state")), *sides)


async def shown(pilot: Any, screen: CompareScreen) -> Any:
    """Open the comparison, and wait until all of it and its review were read; its rows."""
    await quiet(pilot)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.comparison is not None and screen.comparison.complete)
    await until(pilot, lambda: screen._reviewing._loaded)
    await quiet(pilot)
    return screen.query_one("#changes", Rows)


async def test_a_row_with_changes_below_it_ticks_them_all(reviewed: CompareScreen) -> None:
    async with acme().app().run_test(size=LARGE, notifications=True) as pilot:
        rows = await shown(pilot, reviewed)
        tree = reviewed.change_tree
        await pilot.press("g")
        await quiet(pilot)
        heading = rows.current
        assert not heading.is_least
        below = [row.entry.key for row in tree.below(0) if row.is_least]
        assert len(below) > 2
        await pilot.press("space")
        await until(pilot, lambda: f"{len(below)} changes below {heading.title} ticked." in said(pilot))
        assert reviewed._reviewing.review.seen == set(below)
        assert rows.marked == {*below, heading.entry.key}
        assert rows.current.is_change
        assert rows.current.entry.key not in below
        await pilot.press("g", "h")
        await until(pilot, lambda: heading.folded)
        await pilot.press("space")
        await until(pilot, lambda: f"{len(below)} changes below {heading.title} unticked." in said(pilot))
        assert not reviewed._reviewing.review.seen
        assert rows.marked == set()


async def test_the_last_tick_says_that_all_were_seen_or_what_is_left(reviewed: CompareScreen) -> None:
    async with acme().app().run_test(size=LARGE, notifications=True) as pilot:
        rows = await shown(pilot, reviewed)
        changes = reviewed.change_tree.changes
        rows.move_to(changes[1])
        for _ in changes[1:]:
            await pilot.press("space")
            await quiet(pilot)
        await until(pilot, lambda: "That was the last change. 1 above is left to review." in said(pilot))
        rows.move_to(changes[0])
        await pilot.press("space")
        await until(pilot, lambda: "All 14 changes are reviewed. v approves or rejects." in said(pilot))


@pytest.mark.parametrize(("ascii_marks", "note", "tick"), [(False, "✎ ", "✓"), (True, "# ", "x")])
async def test_notes_leave_a_mark(reviewed: CompareScreen, ascii_marks: bool, note: str, tick: str) -> None:
    async with acme(ascii_marks=ascii_marks).app().run_test(size=LARGE) as pilot:
        rows = await shown(pilot, reviewed)
        name = rows.current.title
        assert f"{note}{name}" not in text_of(pilot)
        await pilot.press("a")
        await until(pilot, lambda: "An empty note" in text_of(pilot))
        await pilot.press(*"why", "enter")
        await until(pilot, lambda: "14 left" in text_of(pilot) and "1 note" in text_of(pilot))
        lines = text_of(pilot).splitlines()
        assert any(f"{note}{name}" in line for line in lines)
        assert any(f"{note}why" in line for line in lines)
        await pilot.press("space")
        await until(pilot, lambda: "13 left" in text_of(pilot))
        assert any(line.startswith(tick) and f"{note}{name}" in line for line in text_of(pilot).splitlines())


async def test_a_verdict_stays_where_nobody_chooses_another(reviewed: CompareScreen) -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await shown(pilot, reviewed)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("r", "enter")
        await until(pilot, lambda: "14 left · rejected" in text_of(pilot))
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("enter")
        await until(pilot, lambda: pilot.app.screen is reviewed)
        await quiet(pilot)
        assert reviewed._reviewing.review.verdict == "rejected"


async def test_a_note_that_is_left_is_there_again(reviewed: CompareScreen) -> None:
    async with acme().app().run_test(size=LARGE, notifications=True) as pilot:
        await shown(pilot, reviewed)

        async def asked() -> str:
            await pilot.press("a")
            await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
            return pilot.app.screen.query_one(Input).value

        assert await asked() == ""
        await pilot.press(*"why so", "escape")
        await until(pilot, lambda: "What you typed is kept" in said(pilot))
        assert not reviewed._reviewing.review.notes
        await pilot.press("n")
        assert await asked() == ""
        await pilot.press("escape", "N")
        assert await asked() == "why so"
        assert TYPED_BEFORE in text_of(pilot)
        await pilot.press("!", "enter")
        await until(pilot, lambda: list(reviewed._reviewing.review.notes.values()) == ["why so!"])
        assert await asked() == "why so!"
        assert TYPED_BEFORE not in text_of(pilot)


async def test_a_note_that_could_not_be_kept_is_there_again(kithome: Path, tmp_path: Path) -> None:
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    reviews = HeldReviews(tmp_path)
    reviews.may.set()
    sides = Side(repository, Tag("champion")), Side(repository, Tag("challenger"))
    screen = CompareScreen(DiffUseCase(opened, Inspector(), (), reviews), *sides)
    async with acme().app().run_test(size=LARGE, notifications=True) as pilot:
        await shown(pilot, screen)
        reviews.full = True
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        await pilot.press(*"why", "enter")
        await until(pilot, lambda: "the disk is full" in said(pilot))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        assert pilot.app.screen.query_one(Input).value == "why"


async def test_a_report_is_not_saved_over_a_file_and_its_name_stays(
    reviewed: CompareScreen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.md").write_text("mine")
    async with acme().app().run_test(size=LARGE) as pilot:
        await shown(pilot, reviewed)
        await pilot.press("m")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        await pilot.press("j", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, InputDialog))
        await pilot.press(*"mine.md", "enter")
        await until(pilot, lambda: "Choose another" in text_of(pilot))
        assert pilot.app.screen.query_one(Input).value == "mine.md"
        assert (tmp_path / "mine.md").read_text() == "mine"
        await pilot.press(*"our.md", "enter")
        await until(pilot, (tmp_path / "our.md").exists)


async def test_a_review_of_the_other_direction_is_named(reviewed: CompareScreen) -> None:
    async with acme().app().run_test(size=LARGE, notifications=True) as pilot:
        await shown(pilot, reviewed)
        await pilot.press("space")
        await until(pilot, lambda: "13 left" in text_of(pilot))
        await pilot.press("w")
        await until(pilot, lambda: "no verdict, 1 of 14 changes seen. It is kept; w swaps." in said(pilot))
        await until(pilot, lambda: "reviewed the other way round" in text_of(pilot))
        await pilot.press("w")
        await until(pilot, lambda: "13 left" in text_of(pilot))
        assert "reviewed the other way round" not in text_of(pilot)


async def test_the_verdict_box_says_what_was_said_before(reviewed: CompareScreen) -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await shown(pilot, reviewed)
        for expected in ("", "Your verdict so far: rejected."):
            await pilot.press("v")
            await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
            assert ("Your verdict so far" in text_of(pilot)) is bool(expected)
            assert expected in text_of(pilot)
            await pilot.press("r", "enter")
            await until(pilot, lambda: pilot.app.screen is reviewed and "rejected" in text_of(pilot))
