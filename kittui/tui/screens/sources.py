"""Commands on sources: opening and closing them, logins, reading them again."""

from __future__ import annotations

from kittui.errors import KittuiError, sentences
from kittui.terminal import clean
from kittui.tui.frame.context import Context
from kittui.tui.screens.browse import browse_of


async def open_source(context: Context) -> None:
    """Ask for a source, a repository or a ModelKit, and show it."""
    from kittui.tui.dialogs.prompt import InputDialog

    browse, ports = browse_of(context), context.ports
    known = sorted({found.repository.reference() for row in browse.repositories_pane.places for found in row.found})
    known += [str(row.entry.place) for row in browse.repositories_pane.places]

    def check(text: str) -> str:
        try:
            ports.locate(text.strip())
        except KittuiError as error:
            return clean(sentences(error))
        return ""

    text = await context.ask(
        InputDialog(
            "Open",
            (
                "A registry, a repository or a ModelKit:",
                "ghcr.io · localhost:5000/acme/fraud:champion · oci:DIR · local://",
            ),
            placeholder="HOST[:PORT][/REPOSITORY[:TAG]]",
            check=check,
            complete=lambda start: (each for each in known if start and start.casefold() in each.casefold()),
            draft="open",
        )
    )
    if text is not None:
        browse.open(*await ports.find(text.strip()))
        context.program.drafts.drop(text)


async def close_source(context: Context) -> None:
    """Take the source under the cursor out of the tree."""
    place = context.selection.place
    browse_of(context).close_source()
    kept = any(entry.place == place for entry in context.ports.places)
    context.toast("Closed until the next start." if kept else "Closed.")


async def log_in(context: Context) -> None:
    """Ask for a login to the registry under the cursor."""
    from kittui.tui.dialogs.login import LoginDialog

    place = context.selection.place
    if place is None:
        return
    sentence = await context.ask(LoginDialog(place.host, context.ports.login))
    if sentence is not None:
        context.toast(sentence)
        browse_of(context).repositories_pane.reload()
        context.changed()


async def log_out(context: Context) -> None:
    """Forget the login to the registry under the cursor."""
    from kittui.tui.dialogs.confirm import ConfirmDialog

    place = context.selection.place
    if place is None:
        return
    words = [f"Delete the login that kittui or kit saved for {clean(place.host)}."]
    if await context.ask(ConfirmDialog("Log out", words, "Log out", danger=True)):
        context.toast(await context.ports.logout(place.host))
        context.changed()


async def refresh(context: Context) -> None:
    """Read again what the panes show."""
    browse = browse_of(context)
    asked = browse.repositories_pane.place
    trouble = browse.tags_pane.trouble
    if context.selection.pane == "repositories" or browse.tags_pane.repository is None:
        browse.repositories_pane.reload()
        trouble = trouble or (asked.trouble if asked else "")
    browse.tags_pane.unmark_moved()
    browse.details_pane.forget()
    browse.tags_pane.reload(says=context.selection.pane != "repositories")
    if trouble and asked:
        context.program.notify(f"Asking {asked.label} again: {trouble}.", markup=False)
