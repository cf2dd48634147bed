"""The keys of the comparison, and those shown in its footer."""

from __future__ import annotations

from typing import Final

from textual.binding import Binding, BindingType

from kittui.terminal import size_text
from kittui.tui.frame.keymap import KeyNames
from kittui.tui.widgets.bars import KeyHint

ROOMY: Final = 100
"""Columns from which the footer has room for longer words."""
BINDINGS: Final[list[BindingType]] = [
    Binding("n", "change(1)", "Next", id="compare.next", tooltip="Next change; while searching, next match"),
    Binding("N", "change(-1)", "Previous", id="compare.previous", tooltip="Previous change, or match"),
    Binding(
        "right_square_bracket",
        "hunk(1)",
        "Next hunk",
        id="compare.next-hunk",
        tooltip="Next hunk, or the next change without hunks",
    ),
    Binding(
        "left_square_bracket",
        "hunk(-1)",
        "Previous hunk",
        id="compare.previous-hunk",
        tooltip="Previous hunk or change",
    ),
    Binding("f", "filter", "Filter", id="compare.filter", tooltip="Only changed, only added … everything"),
    Binding(
        "tilde", "only('~')", "Only changed", id="compare.only-changed", tooltip="Show only what changed; again for all"
    ),
    Binding(
        "plus", "only('+')", "Only added", id="compare.only-added", tooltip="Show only what was added; again for all"
    ),
    Binding(
        "minus",
        "only('-')",
        "Only removed",
        id="compare.only-removed",
        tooltip="Show only what was removed; again for all",
    ),
    Binding(
        "s",
        "beside",
        "Side by side",
        id="compare.beside",
        tooltip="Show old and new side by side, or one below the other",
    ),
    Binding("S", "cut", "Cut", id="compare.cut", tooltip="Truncate long lines, or wrap them"),
    Binding(
        "full_stop,shift+right,l,right",
        "sideways(1)",
        "Right",
        id="compare.right",
        tooltip="More of lines that are cut off, on the right",
    ),
    Binding(
        "comma,shift+left,h,left", "sideways(-1)", "Left", id="compare.left", tooltip="Back to the left of cut lines"
    ),
    Binding(
        "right_curly_bracket",
        "context(1)",
        "More context",
        id="compare.more-context",
        tooltip="Show more unchanged lines around changes",
    ),
    Binding(
        "left_curly_bracket",
        "context(-1)",
        "Less context",
        id="compare.less-context",
        tooltip="Show fewer unchanged lines around changes",
    ),
    Binding("z", "whole", "Fold", id="compare.fold", tooltip="Show the unchanged parts of texts, or fold them"),
    Binding(
        "o", "outputs", "Outputs", id="compare.outputs", tooltip="Show the outputs of notebook cells, or fold them"
    ),
    Binding("W", "spaces", "White space", id="compare.spaces", tooltip="Ignore white space in texts, or compare it"),
    Binding(
        "slash", "search", "Search", id="compare.search", tooltip="Search the whole comparison, including the Kitfile"
    ),
    Binding(
        "space", "seen", "Seen", id="compare.seen", tooltip="Tick or untick the change as reviewed, and go to the next"
    ),
    Binding("a", "note", "Note", id="compare.note", tooltip="Attach a note to the change"),
    Binding("v", "verdict", "Verdict", id="compare.verdict", tooltip="Approve or reject; saved for these digests"),
    Binding("e", "outside('edit')", "Editor", id="compare.edit", tooltip="Open the file in $VISUAL or $EDITOR"),
    Binding("vertical_line", "outside('page')", "Pager", id="compare.page", tooltip="Pipe the file to $PAGER"),
    Binding("D", "outside('compare')", "Difftool", id="compare.difftool", tooltip="Open both sides in the difftool"),
    Binding("C", "content", "Compare values", id="compare.content", tooltip="Read and compare every value"),
    Binding("m", "report", "Report", id="compare.report", tooltip="Copy or save the report"),
    Binding("w", "swap", "Swap", id="compare.swap", tooltip="Swap the sides"),
    Binding(
        "i,H",
        "timeline",
        "Timeline",
        id="compare.timeline",
        tooltip="Follow this value, file or tensor across all versions",
    ),
    Binding("y", "copy", "Copy", id="compare.copy", tooltip="Copy what the detail pane shows"),
    Binding("r", "again", "Refresh", id="compare.refresh", tooltip="Compare again"),
    Binding("tab,shift+tab", "other_pane", "Other pane", id="compare.pane", tooltip="Tree or detail"),
    Binding("Z", "zoom", "Zoom", id="compare.zoom", tooltip="Zoom this pane, or end the zoom"),
    Binding("greater_than_sign", "resize(1)", "Larger", id="compare.larger", tooltip="Make this pane larger"),
    Binding("less_than_sign", "resize(-1)", "Smaller", id="compare.smaller", tooltip="Make this pane smaller"),
    Binding("question_mark", "app.help", "Help", id="compare.help", tooltip="All keys that work now"),
    Binding(
        "escape,q",
        "back",
        "Back",
        id="compare.back",
        tooltip="End the search, go to the tree, stop reading values, or go back",
    ),
]


def footer_hints(keys: KeyNames, width: int, *, unread: int, in_detail: bool, stops: bool) -> tuple[KeyHint, ...]:
    """What the footer names; `unread`: bytes of values still to compare, `stops`: whether Back stops reading them."""
    roomy = width >= ROOMY
    hints = [("next", "Next", "change(1)"), ("next-hunk", "Hunk", "hunk(1)")]
    if unread:
        words = "Compare values," if roomy else "Values,"
        hints.append(("content", f"{words} {size_text(unread)}", "content"))
    hints += [("filter", "Filter", "filter"), ("report", "Report", "report"), ("timeline", "Timeline", "timeline")]
    back = "Tree" if in_detail else "Stop" if stops else "Back"
    last = [("help", "Help", "app.help"), ("back", back, "back")]
    other = "Tree" if in_detail else "Detail"
    more = [("swap", "Swap", "swap"), ("copy", "Copy", "copy"), ("pane", other, "other_pane")]
    hints += more + last if roomy else more[:1] + last
    return tuple(
        KeyHint(keys.all_of(f"compare.{name}"), label, action if "." in action else f"screen.{action}")
        for name, label, action in hints
    )
