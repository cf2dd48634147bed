"""The report of a comparison: copied, or saved as a file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from kittui.compare.comparison import Comparison
from kittui.compare.review import Review
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.frame.saving import ask_and_save

if TYPE_CHECKING:
    from kittui.tui.frame.program import Program


async def report(app: Program, comparison: Comparison, review: Review) -> None:
    """Ask which report is meant and where it goes."""
    from kittui.compare.html import to_html
    from kittui.compare.markdown import to_markdown
    from kittui.usecases.diff.report import save_report

    words = [] if comparison.complete else ["Still reading: the report says what is known now."]
    answer = await app.ask(
        ChoiceDialog(
            "Report",
            [
                Choice("copy", "Copy Markdown", "for a merge request, pinned to digests"),
                Choice("md", "Save Markdown", "as a new file"),
                Choice("html", "Save HTML", "one page that needs nothing else"),
            ],
            words,
        )
    )
    if answer is None:
        return
    text = to_html(comparison, review) if answer == "html" else to_markdown(comparison, review)
    if answer == "copy":
        app.copy(text)
        return
    name = f"{comparison.a.short}-{comparison.b.short}.{answer}"
    if saved := await ask_and_save(app, "Save the report", ("File:",), name, partial(save_report, text=text), name):
        app.toast(f"Saved {saved}")
