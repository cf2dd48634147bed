"""Jupyter notebooks as cells with what they printed."""

from __future__ import annotations

from kittui.formats.notebook import NOTEBOOK_LIMIT, Notebook, read_notebook
from kittui.tasks import aside
from kittui.terminal import clean
from kittui.usecases.inspect.viewers.shown import Document, Heading, OpenFile, Part, Shown, Viewer, Way
from kittui.usecases.inspect.viewers.whole import code, read_text


async def _open(file: OpenFile) -> Shown:
    text, digest = await read_text(file)
    cells = Document(await aside(_parts, text))
    source = Document([await aside(code, text, "notebook.json")])
    ways = (Way("Cells", cells), Way("Source", source))
    return Shown(
        "notebook", file.size, ways, text=text, verified=file.view.verified, digest=digest, read=file.size
    )  # fmt: skip


def _parts(text: str) -> list[Part]:
    notebook = read_notebook(text)
    parts: list[Part] = []
    for cell in notebook.cells:
        number = "" if cell.number is None else f" [{cell.number}]"
        syntax = {"markdown": "cell.md", "raw": ""}.get(cell.kind, _named(notebook))
        parts += [Heading(f"{cell.kind}{number}"), code(cell.source, syntax, quiet=cell.kind == "raw")]
        for output in cell.outputs:
            parts += [Heading("output"), code(output, quiet=True)]
    return parts


def _named(notebook: Notebook) -> str:
    """A file name that code of the notebook's language has."""
    language = clean(notebook.language.lower(), limit=20)
    return {"python": "cell.py", "julia": "cell.jl", "bash": "cell.sh"}.get(language, f"cell.{language}")


VIEWER = Viewer("notebook", lambda path, size, head: path.endswith(".ipynb") and size <= NOTEBOOK_LIMIT, _open)
