"""The commands of browsing."""

from __future__ import annotations

from typing import Final, get_args

from kittui.tui.frame.commands import Command, always, changes_allowed, every, needs, on_repository, on_tag
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import PaneName, Selection
from kittui.tui.screens.browse import BrowseScreen, browse_of
from kittui.tui.screens.sources import close_source, log_in, log_out, open_source, refresh


async def _filter(context: Context) -> None:
    await browse_of(context).pane.open_filter()


async def _copy(context: Context) -> None:
    from kittui.tui.dialogs.choice import ChoiceDialog
    from kittui.tui.screens.copying import copies

    text = await context.ask(ChoiceDialog("Copy", copies(context.selection)))
    if text is not None:
        context.program.copy(text)


async def _sort(context: Context) -> None:
    browse = browse_of(context)
    if context.selection.pane == "repositories":
        browse.repositories_pane.cycle_sort()
    else:
        browse.tags_pane.cycle_sort()


async def _reverse(context: Context) -> None:
    browse = browse_of(context)
    if context.selection.pane == "repositories":
        browse.repositories_pane.cycle_sort()
    else:
        browse.tags_pane.turn_sort()


async def _zoom(context: Context) -> None:
    browse_of(context).zoom()


async def _wider(context: Context) -> None:
    await browse_of(context).resize(1)


async def _narrower(context: Context) -> None:
    await browse_of(context).resize(-1)


async def _mark(context: Context) -> None:
    browse_of(context).tags_pane.toggle_mark()
    browse_of(context).refresh_bars()


async def _mark_all(context: Context) -> None:
    browse_of(context).tags_pane.mark_all()
    browse_of(context).refresh_bars()


async def _unmark(context: Context) -> None:
    context.clear_marks()


async def _group(context: Context) -> None:
    browse_of(context).tags_pane.toggle_group()


async def _favourite(context: Context) -> None:
    browse_of(context).repositories_pane.toggle_favourite()
    await browse_of(context).save_favourites()


def _find_next(browse: BrowseScreen, step: int) -> None:
    if browse.pane.filter:
        browse.pane.find_next(step)
    else:
        key = browse.program.ports.keys["filter"]
        browse.notify(f"Steps through what a filter found; {key} opens one.", markup=False)


async def _next(context: Context) -> None:
    _find_next(browse_of(context), 1)


async def _previous(context: Context) -> None:
    _find_next(browse_of(context), -1)


async def _back(context: Context) -> None:
    browse_of(context).back()


async def _next_pane(context: Context) -> None:
    browse_of(context).go_by(1)


async def _previous_pane(context: Context) -> None:
    browse_of(context).go_by(-1)


async def _next_tab(context: Context) -> None:
    browse_of(context).details_pane.turn_by(1)


async def _previous_tab(context: Context) -> None:
    browse_of(context).details_pane.turn_by(-1)


_PANES: Final = get_args(PaneName)


def _go(browse: BrowseScreen, pane: PaneName) -> None:
    if browse.at == pane:
        browse.notify(f"Already in pane {_PANES.index(pane) + 1}.", markup=False)
    browse.go(pane)


async def _repositories(context: Context) -> None:
    _go(browse_of(context), "repositories")


async def _tags(context: Context) -> None:
    _go(browse_of(context), "tags")


async def _layers(context: Context) -> None:
    _go(browse_of(context), "layers")


async def _kitfile(context: Context) -> None:
    context.browser.show_tab("kitfile")


async def _manifest(context: Context) -> None:
    context.browser.show_tab("manifest")


async def _file(context: Context) -> None:
    context.browser.show_tab("file")


async def _risk(context: Context) -> None:
    context.browser.show_tab("risk")


async def _help(context: Context) -> None:
    context.program.action_help()


@needs("There is nothing to copy here.")
def _has_copies(selection: Selection) -> bool:
    return selection.repository is not None or selection.place is not None


@needs("Login works only on a registry: put the cursor on one.")
def _in_registry(selection: Selection) -> bool:
    return selection.place is not None and selection.place.kind == "remote"


_with_login = every(changes_allowed, _in_registry)


@needs("This works only on tags, in pane 2.")
def _in_tags(selection: Selection) -> bool:
    return selection.pane == "tags" and selection.is_tag


@needs("Sorting works on repositories and tags: go to pane 1 or 2.")
def _listed(selection: Selection) -> bool:
    return selection.pane in ("repositories", "tags")


@needs("This switches the tabs of the details: go there with 4 to 8.")
def _in_details(selection: Selection) -> bool:
    return selection.pane == "details"


@needs("Put the cursor on a source, in pane 1.")
def _on_source(selection: Selection) -> bool:
    return selection.pane == "repositories" and selection.place is not None and selection.repository is None


@needs("Put the cursor on a repository, in pane 1.")
def _on_favourite(selection: Selection) -> bool:
    return selection.pane == "repositories" and on_repository(selection)


@needs("Put the cursor on a file in a layer, in pane 3.")
def _on_node(selection: Selection) -> bool:
    return selection.node is not None


@needs("Nothing is marked; Space marks a tag.")
def _marked(selection: Selection) -> bool:
    return bool(selection.marks)


COMMANDS: tuple[Command, ...] = (
    Command("open", "o", "Open", "Open a registry or a reference", open_source, always, 60, "Browse", text=True),
    Command(
        "close",
        "Q",
        "Close source",
        "Remove the source from the tree; nothing is deleted",
        close_source,
        _on_source,
        0,
        "Browse",
    ),
    Command("filter", "slash", "Filter", "Filter as you type; Esc clears", _filter, always, 70, "Browse"),
    Command("sort", "s", "Sort", "Sort by stage, name, age or size", _sort, _listed, 75, "Browse"),
    Command("reverse", "I", "Reverse", "Sort the other way around", _reverse, _listed, 0, "Browse"),
    Command("mark", "space", "Mark", "Mark or unmark the tag", _mark, _in_tags, 40, "Browse"),
    Command("mark-all", "asterisk", "Mark all", "Mark every tag that is shown", _mark_all, _in_tags, 0, "Browse"),
    Command("unmark", "U", "Unmark", "Remove all marks", _unmark, _marked, 0, "Browse"),
    Command("group", "equals_sign", "Group", "Group tags on the same digest", _group, _in_tags, 78, "Browse"),
    Command("copy", "y", "Copy", "Copy a reference, digest or kit command", _copy, _has_copies, 50, "Browse"),
    Command(
        "favourite",
        "f",
        "Favourite",
        "Keep the repository at the top of the tree, or not",
        _favourite,
        _on_favourite,
        72,
        "Browse",
    ),
    Command("refresh", "r", "Refresh", "Reload from the source", refresh, always, 80, "Browse"),
    Command("login", "L", "Log in", "Log in to this registry", log_in, _with_login, 65, "Browse", text=True),
    Command("logout", "O", "Log out", "Log out of this registry", log_out, _with_login, 0, "Browse"),
    Command("next", "n", "Next", "Next match", _next, always, 0, "Browse"),
    Command("previous", "N", "Previous", "Previous match", _previous, always, 0, "Browse"),
    Command("back", "escape", "Back", "Clear the filter, or go back one pane", _back, always, 0, "Panes"),
    Command("pane.next", "tab", "Next pane", "Go to the next pane", _next_pane, always, 0, "Panes"),
    Command(
        "pane.previous", "shift+tab", "Previous pane", "Go to the previous pane", _previous_pane, always, 0, "Panes"
    ),
    Command("pane.repositories", "1", "Repositories", "Go to the repositories", _repositories, always, 0, "Panes"),
    Command("pane.tags", "2", "Tags", "Go to the tags", _tags, always, 0, "Panes"),
    Command("pane.layers", "3", "Layers", "Go to the layers", _layers, always, 0, "Panes"),
    Command("pane.kitfile", "4", "Kitfile", "Show the Kitfile", _kitfile, always, 0, "Panes"),
    Command("pane.manifest", "5", "Manifest", "Show the manifest as received", _manifest, always, 0, "Panes"),
    Command("pane.file", "7", "File", "Show the file under the cursor", _file, _on_node, 0, "Panes"),
    Command("pane.risk", "8", "Risk", "Show what loading the files would run", _risk, on_tag, 0, "Panes"),
    Command("tab.next", "right,l", "Next tab", "Show the next tab", _next_tab, _in_details, 0, "Panes"),
    Command("tab.previous", "left,h", "Previous tab", "Show the previous tab", _previous_tab, _in_details, 0, "Panes"),
    Command("zoom", "plus", "Zoom", "Zoom this pane, or end the zoom", _zoom, always, 0, "Panes"),
    Command("larger", "greater_than_sign", "Larger", "Make this pane larger", _wider, always, 0, "Panes"),
    Command("smaller", "less_than_sign", "Smaller", "Make this pane smaller", _narrower, always, 0, "Panes"),
    Command("help", "question_mark", "Help", "All keys that work now", _help, always, 1000, "Program"),
)
