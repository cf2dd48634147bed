"""Git LFS pointers, under whatever name: what they stand for."""

from __future__ import annotations

from kittui.errors import Malformed
from kittui.formats.lfs import read_pointer
from kittui.usecases.inspect.viewers.shown import Document, Facts, Heading, Note, OpenFile, Shown, Viewer, Way
from kittui.usecases.inspect.viewers.whole import code, read_text


async def _open(file: OpenFile) -> Shown:
    text, digest = await read_text(file)
    pointer = read_pointer(await file.view.read(0, file.size))
    if pointer is None:
        raise Malformed("it is not a Git LFS pointer")
    facts = Facts((("stands for", f"{pointer.size:,} bytes"), ("sha256", pointer.oid)))
    note = Note("The file itself was never fetched: git lfs pull gets it before packing.", warning=True)
    document = Document([Heading("Git LFS pointer"), facts, note, Heading("Text"), code(text)])
    return Shown(
        "pointer", file.size, (Way("Git LFS pointer", document),), text=text, verified=file.view.verified,
        problem=f"a {pointer.words}, not the file itself", digest=digest, read=file.size,
    )  # fmt: skip


VIEWER = Viewer("pointer", lambda path, size, head: read_pointer(head) is not None, _open)
