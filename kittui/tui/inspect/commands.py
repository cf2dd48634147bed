"""Commands on a file in a layer: view, save, verify its layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittui.errors import Refused
from kittui.tasks import aside
from kittui.terminal import size_text
from kittui.tui.frame import outside
from kittui.tui.frame.commands import Command, marks_set, needs
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import FileHere, Selection, TensorHere
from kittui.tui.widgets.lines import Page

if TYPE_CHECKING:
    from kittui.tui.frame.ports import Ports
    from kittui.tui.widgets.lines import Page
    from kittui.usecases.inspect.prices import Price


def file_of(selection: Selection) -> FileHere | None:
    """The readable file under the cursor, or the one whose tensor is."""
    node = selection.node
    if node is None or node.problem:
        return None
    if isinstance(node.payload, TensorHere):
        return node.payload.file
    return node.payload if node.kind == "file" else None


@needs("Put the cursor on a file in a layer (pane 3) that can be read.")
def on_file(selection: Selection) -> bool:
    """Enabled on a file that can be read."""
    return file_of(selection) is not None


async def view(context: Context) -> None:
    """Show the file over the whole screen."""
    from kittui.tui.inspect.viewer import ViewerScreen

    here = file_of(context.selection)
    if here is not None:
        context.show(ViewerScreen(context, here))


async def save_selected(context: Context) -> None:
    """Save the file under the cursor."""
    from kittui.tui.inspect.saving import save

    here = file_of(context.selection)
    if here is not None:
        await save(context, here)


async def verify_selected(context: Context) -> None:
    """Verify the layer of the file under the cursor."""
    from kittui.tui.inspect.proving import prove

    here = file_of(context.selection)
    if here is not None:
        await prove(context, here, None)


async def _hand_over(context: Context, how: str) -> None:
    from kittui.usecases.inspect.copies import LayerFile

    here = file_of(context.selection)
    if here is not None:
        original = LayerFile(context.ports.inspector(), here.repository, here.layer, here.entry)
        await (outside.edit if how == "edit" else outside.page)(context.program, original)


async def edit_selected(context: Context) -> None:
    """Open a copy of the file under the cursor in the editor."""
    await _hand_over(context, "edit")


async def page_selected(context: Context) -> None:
    """Pipe the file under the cursor to the pager."""
    await _hand_over(context, "page")


async def file_tab(ports: Ports, selection: Selection) -> Page:
    """The file under the cursor, in the details pane."""
    from kittui.tui.frame.asking import why
    from kittui.tui.inspect.contents import open_here
    from kittui.tui.inspect.pages import pane_page

    here = file_of(selection)
    if here is None:
        return Page([(("Open a layer and put the cursor on a file to see it here.", "muted"),)])
    prices: list[Price] = []

    async def note(price: Price) -> bool:
        prices.append(price)
        return False

    try:
        return await aside(pane_page, await open_here(ports.inspector(), here, ask=note, width=36), here)
    except Refused:
        if not prices:
            raise
    text = f"{size_text(prices[0].bytes)} to read. {why(prices[0])}"
    return Page([((text, "warn"),), "", (("v asks, then opens it.", "muted"),)])


async def risk_tab(ports: Ports, selection: Selection) -> Page:
    """What the ModelKit's files could do when they are loaded, as far as was looked."""
    from kittui.tui.inspect.risk_page import load_risk

    return await load_risk(ports, selection)


async def scan(context: Context) -> None:
    """Scan a copy of the files with ModelScan."""
    from kittui.tui.inspect.risk_page import scan_selected

    await scan_selected(context)


@needs("Put the cursor on a tag whose ModelKit has been read.")
def has_modelkit(selection: Selection) -> bool:
    """Enabled where a ModelKit has been read."""
    return selection.modelkit is not None and selection.modelkit.is_modelkit


COMMANDS: tuple[Command, ...] = (
    Command("look.view", "v", "View", "View the file without pulling it", view, on_file, 5, "Files", marks_set),
    Command(
        "look.save",
        "w",
        "Save",
        "Save the file to this machine",
        save_selected,
        on_file,
        6,
        "Files",
        marks_set,
        text=True,
    ),
    Command(
        "look.scan", "S", "Scan", "Scan a copy of the files with ModelScan", scan, has_modelkit, 0, "Files", marks_set
    ),
    Command(
        "look.edit", "e", "Editor", "Open a copy in $VISUAL or $EDITOR", edit_selected, on_file, 0, "Files", marks_set
    ),
    Command("look.page", "vertical_line", "Pager", "Pipe it to $PAGER", page_selected, on_file, 0, "Files", marks_set),
    Command("look.verify", "V", "Verify", "Verify the layer's digest", verify_selected, on_file, 0, "Files", marks_set),
)
