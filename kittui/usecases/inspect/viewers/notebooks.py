"""Shows Jupyter notebooks as cells with their outputs."""

from __future__ import annotations

from collections.abc import Iterator

from kittui.budget import Budget
from kittui.errors import TooLarge
from kittui.formats.notebook import NOTEBOOK_LIMIT, Notebook, notebook_budget, read_notebook
from kittui.tasks import aside
from kittui.terminal import clean
from kittui.usecases.inspect.viewers.shown import Document, Heading, Note, OpenFile, Part, Shown, Viewer, Way
from kittui.usecases.inspect.viewers.whole import code, read_text

SOURCE_LIMIT = 4 * 1024 * 1024
"""Notebooks up to this many characters also show their source: pictures in it are lines of millions of characters."""


async def _open(file: OpenFile) -> Shown:
    text, digest = await read_text(file)
    cells = Document(await aside(_parts, text))
    ways = [Way("Cells", cells)]
    if len(text) <= SOURCE_LIMIT:
        ways.append(Way("Source", Document([await aside(code, text, "notebook.json")])))
    return Shown(
        "notebook", file.size, tuple(ways), text=text, verified=file.view.verified, digest=digest, read=file.size
    )  # fmt: skip


def _parts(text: str) -> list[Part]:
    budget = notebook_budget()
    notebook = read_notebook(text, budget)
    parts: list[Part] = []
    try:
        for cell in _cells(notebook, budget):
            parts += cell
    except TooLarge as error:
        parts.append(Note(error.message, warning=True))
    return parts


def _cells(notebook: Notebook, budget: Budget) -> Iterator[list[Part]]:
    """The parts of each cell, its lines counted before they are cut."""
    for cell in notebook.cells:
        number = "" if cell.number is None else f" [{cell.number}]"
        syntax = {"markdown": "cell.md", "raw": ""}.get(cell.kind, _named(notebook))
        budget.spend("lines", cell.source.count("\n") + 1)
        yield [Heading(f"{cell.kind}{number}"), code(cell.source, syntax, quiet=cell.kind == "raw")]
        for output in cell.outputs:
            budget.spend("lines", output.count("\n") + 2)
            yield [Heading("output"), code(output, quiet=True)]


def _named(notebook: Notebook) -> str:
    """A file name for code in the notebook's language."""
    language = clean(notebook.language.lower(), limit=20)
    return {"python": "cell.py", "julia": "cell.jl", "bash": "cell.sh"}.get(language, f"cell.{language}")


VIEWER = Viewer("notebook", lambda path, size, head: path.endswith(".ipynb") and size <= NOTEBOOK_LIMIT, _open)
