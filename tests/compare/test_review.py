"""A review is kept for two digests: ticks, notes and a verdict, in the interface and in every report."""

from __future__ import annotations

import json
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

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
        await until(pilot, lambda: "13 changes were not seen yet." in text_of(pilot))
        await pilot.press("enter")
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
