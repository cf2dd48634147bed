"""Opens the file under the cursor in the user's own programs: the newer side, or both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kittui.errors import UsageError
from kittui.tui.frame import outside
from kittui.usecases.diff.originals import file_of, files_of, kitfiles_of

if TYPE_CHECKING:
    from kittui.compare.comparison import Comparison
    from kittui.tui.compare.reading import Reading
    from kittui.tui.frame.program import Program

How = Literal["edit", "page", "compare"]


async def hand_over(program: Program, reading: Reading, comparison: Comparison, key: str, how: How) -> None:
    """Open the file of a row (or the Kitfile) in the editor, the pager, or both its sides in the difftool.

    Raises UsageError where there is no such file, and what reading and starting the program raise.
    """
    change = file_of(comparison, key)
    if change is not None:
        old, new = await files_of(reading.case, reading.sides, comparison, change)
    elif key.startswith("Kitfile"):
        old, new = await kitfiles_of(reading.case, reading.sides, comparison)
    else:
        raise UsageError(
            "this row is not a single file", hint="Put the cursor on a file, or on a value of the Kitfile."
        )
    original = new or old
    if original is None:
        raise UsageError("neither side has a readable file here", hint="Put the cursor on another row.")
    if how == "compare" and old is not None and new is not None:
        await outside.compare(program, old, new)
        return
    if how == "compare":
        there, keys = "new" if old is None else "old", program.ports.keys
        raise UsageError(f"only the {there} side has this file", hint=f"{keys['compare.edit']} opens it.")
    await (outside.edit if how == "edit" else outside.page)(program, original)
