"""The history tab: who moved which tag of this repository, when, from what to what."""

from __future__ import annotations

import asyncio

from kittui.terminal import clean
from kittui.tui.frame.context import Context
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Selection
from kittui.tui.widgets.lines import Line, Page

TAB = "history"


async def load_history(ports: Ports, selection: Selection) -> Page:
    """The events of the tag, or of the repository where the cursor is on no tag."""
    tools = ports.change_tools()
    repository = selection.repository
    if repository is None:
        return Page((((("No history is kept here."), "muted"),),))
    tag = selection.target if selection.target and ":" not in selection.target else None
    events = await asyncio.to_thread(tools.ledger.history.events, repository.reference(), tag)
    about = f"{clean(tag)}" if tag else clean(repository.name)
    if not events:
        return Page(
            (
                ((f"kittui on this machine has not moved {about} yet.", "muted"),),
                (("Promote, retag, push, pull and remove write a line here.", "faint"),),
            )
        )
    lines: list[Line] = []
    for event in events:
        before = event.before.partition(":")[2][:12] if event.before else "none"
        after = event.after.partition(":")[2][:12] if event.after else "none"
        lines.append(
            (
                (clean(event.time), "muted"),
                ("  ", "text"),
                (f"{clean(event.action):<9}", "accent"),
                (f"{clean(event.tag)}  ", "text+bold"),
                (clean(before), "muted"),
                (" → ", "accent"),
                (clean(after), "text" if event.after else "bad"),
            )
        )
        who = f"    {clean(event.actor)}"
        lines.append(((f"{who}: {clean(event.reason)}" if event.reason else who, "faint"),))
    return Page(lines)


async def show_history(context: Context) -> None:
    """Turn the details pane to the history."""
    context.browser.show_tab(TAB)
