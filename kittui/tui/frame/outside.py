"""Opens files in the user's own programs, in this terminal: editor, pager, difftool."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from textual.app import SuspendNotSupported

from kittui.disk.private import PrivateFolder, private_folder
from kittui.disk.threads import held, in_thread
from kittui.errors import KittuiError, Unsupported
from kittui.terminal import clean
from kittui.tui.frame.asking import agree
from kittui.tui.frame.saving import ask_and_save
from kittui.usecases.inspect.copies import Original, PrivateCopy, copy_of
from kittui.usecases.inspect.programs import run_program, status_words
from kittui.usecases.inspect.saving import save_copy

if TYPE_CHECKING:
    from kittui.tui.frame.program import Program
    from kittui.usecases.inspect.prices import Price

_ACTIVITY = "copy"


async def edit(program: Program, original: Original) -> None:
    """Open a verified copy of a file in the editor; raises what copying and starting the editor raise."""
    programs = await in_thread(program.ports.settings.programs.with_editor)
    await _show(program, [original], lambda paths: programs.edit(paths[0]))


async def page(program: Program, original: Original) -> None:
    """Pipe the verified bytes of a file to the pager; raises as `edit` does."""
    programs = program.ports.settings.programs
    await _show(program, [original], lambda _: programs.page(), piped=True)


async def compare(program: Program, old: Original, new: Original) -> None:
    """Open verified copies of both sides of a file in the difftool; raises as `edit` does."""
    programs = program.ports.settings.programs
    await _show(program, [old, new], lambda paths: programs.compare(paths[0], paths[1]))


async def _show(
    program: Program,
    originals: Sequence[Original],
    command: Callable[[Sequence[Path]], list[str]],
    *,
    piped: bool = False,
) -> None:
    if not program.lends_terminal:
        raise _not_lent()
    command([Path("/"), Path("/")])  # fails before anything is read if there is none
    async with private_folder() as folder:
        copies = await _copies(program, originals, folder)
        words = command([copy.path for copy in copies])
        if piped:
            async with held(lambda: copies[0].path.open("rb"), lambda opened: opened.close()) as file:
                status = await _lend(program, words, folder, file)
        else:
            status = await _lend(program, words, folder, None)
        if status:
            program.notify(clean(status_words(words[0], status)), severity="warning", markup=False)
        if not piped:
            for copy in copies:
                if await in_thread(copy.changed):
                    await _keep_changes(program, copy)


async def _copies(program: Program, originals: Sequence[Original], folder: PrivateFolder) -> list[PrivateCopy]:
    """Copy one after the other; the header says how far it is, and Esc stops it."""
    copies = []
    shown = -1
    try:
        for side, original in zip(("old", "new") if len(originals) > 1 else (".",), originals, strict=True):

            async def ask(price: Price, path: str = original.path) -> bool:
                return await agree(program, path, price)

            def passed(read: int, size: int) -> None:
                nonlocal shown
                percent = read * 100 // max(1, size)
                if percent != shown:
                    shown = percent
                    program.activity(_ACTIVITY, f"verifying {percent} %, Esc stops")

            copies.append(await copy_of(original, folder.path / side, ask=ask, on_bytes=passed))
    finally:
        program.activity(_ACTIVITY, None)
    return copies


async def _lend(program: Program, words: Sequence[str], folder: PrivateFolder, stdin: IO[bytes] | None) -> int:
    """Run a program in the terminal while the interface is suspended, drawing nothing but still at work."""
    status, failure = 0, None
    try:
        with program.suspend(), program.batch_update():
            try:
                status = await run_program(words, held=folder.held, stdin=stdin)
            except BaseException as error:  # noqa: BLE001 - Textual resumes only where nothing is raised inside
                failure = error
    except SuspendNotSupported:
        raise _not_lent() from None
    if failure is not None:
        raise failure
    return status


def _not_lent() -> KittuiError:
    return Unsupported(
        "another program can't run in this terminal",
        hint="Save the file, or print it with kittui cat.",
    )


async def _keep_changes(program: Program, copy: PrivateCopy) -> None:
    """Offer to save what the user wrote into a copy: it never goes back into the ModelKit."""
    name = copy.path.name
    words = (
        f"You changed the copy of {clean(name)}. kittui never writes changes back into a ModelKit.",
        "Save your version to a file? Esc discards it.",
    )

    async def save(path: str) -> Path:
        return await save_copy(copy.path, Path(path))

    saved = await ask_and_save(program, "Your changes", words, str(Path.cwd() / name), save)
    program.toast(f"Saved {saved}" if saved else f"Your changes to the copy of {name} were discarded.")
