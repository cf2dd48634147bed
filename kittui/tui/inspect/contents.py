"""What a file is, and what of it is shown: decided by its name and its first bytes, read as it is needed."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Literal

from kittui.errors import Malformed, Unsupported
from kittui.formats.model_file import is_model_file
from kittui.formats.notebook import NOTEBOOK_LIMIT
from kittui.formats.text import SNIFFED, decode, sniff
from kittui.tui.inspect import pictures
from kittui.tui.inspect.opened import Contents, Model
from kittui.tui.inspect.paging import Pager, lay_of
from kittui.tui.widgets.lines import Page, plain

if TYPE_CHECKING:
    from kittui.tui.frame.selection import FileHere
    from kittui.usecases.inspect.inspector import Ask, Inspector
    from kittui.usecases.inspect.views import View


WHOLE_LIMIT = 512 * 1024
"""Bytes up to which Markdown is rendered and code is highlighted: both need the whole text."""


async def read_contents(inspector: Inspector, here: FileHere, *, ask: Ask | None = None, width: int = 100) -> Contents:
    """Open a file and read its first page; raises what reading raises, Refused where the price is not agreed to."""
    entry = here.entry
    view = await inspector.open(here.repository, here.layer, entry, ask=ask)
    if is_model_file(entry.path):
        try:
            return await _model(inspector, here, view, ask)
        except Malformed as error:
            return await _paged(view, entry.path, entry.size, problem=error.message)
    return await contents_of(view, entry.path, width)


async def contents_of(view: View, path: str, width: int = 100) -> Contents:
    """What `read_contents` gives for anything that is no model file."""
    name, size, problem = path.lower(), view.size, ""
    try:
        if name.endswith(".parquet"):
            from kittui.tui.inspect.parquet import parquet_page

            return Contents("parquet", size, await parquet_page(view), verified=view.verified, _shown=size)
        if name.endswith(pictures.SUFFIXES) and size <= pictures.BYTES_LIMIT:
            return await _picture(view, width)
        if name.endswith(".ipynb") and size <= NOTEBOOK_LIMIT:
            return await _whole(view, path, "notebook")
        if name.endswith((".md", ".markdown")) and size <= WHOLE_LIMIT:
            return await _whole(view, path, "markdown")
    except (Malformed, Unsupported) as error:
        problem = " ".join(part for part in (error.message, error.hint) if part)
    return await _paged(view, path, size, problem)


async def _model(inspector: Inspector, here: FileHere, view: View, ask: Ask | None) -> Contents:
    from kittui.tui.inspect.model_facts import model_facts, shard_index
    from kittui.tui.inspect.tensor_view import grown
    from kittui.usecases.inspect.files import FoundFile
    from kittui.usecases.inspect.models import open_model

    layers = here.modelkit.layers if here.modelkit is not None else (here.layer,)
    file = FoundFile(here.layer, here.entry)
    index = await shard_index(inspector, here)
    opened = await open_model(inspector, here.repository, layers, index or file, ask=ask)
    facts = await model_facts(inspector, here, opened.weights, opened.shards)
    tree = await asyncio.to_thread(grown, opened.weights)
    size = here.entry.size
    model = Model(opened.weights, tree, facts, max(1, len(opened.shards)))
    return Contents("model", size, model=model, verified=opened.verified, _shown=size)


async def _picture(view: View, width: int) -> Contents:
    content = await view.read(0, view.size)
    page = await asyncio.to_thread(pictures.picture_page, content, width)
    digest = hashlib.sha256(content).digest()
    return Contents(
        "picture", view.size, page, picture=content, verified=view.verified, digest=digest, _shown=view.size
    )


async def _whole(view: View, path: str, kind: Literal["notebook", "markdown"]) -> Contents:
    """A file that is shown as a whole; raises Malformed for what is binary, and for a notebook that is none."""
    from kittui.tui.inspect.pages import notebook_page, text_page

    content = await view.read(0, view.size)
    encoding = sniff(content)
    if encoding is None:
        raise Malformed("it is not a text")
    text = decode(content, encoding)
    laid = notebook_page if kind == "notebook" else text_page
    page = await asyncio.to_thread(laid, path, text)
    digest = hashlib.sha256(content).digest()
    return Contents(kind, view.size, page, text=text, verified=view.verified, digest=digest, _shown=view.size)


async def _paged(view: View, path: str, size: int, problem: str = "") -> Contents:
    from kittui.tui.inspect.pages import hex_spans, text_page
    from kittui.tui.widgets.highlight import line_highlighter

    lay = lay_of(path)
    encoding = sniff(await view.read(0, min(size, SNIFFED)), zeros=lay is not None)
    if encoding is None:
        pager = Pager(view, size, None, None)
        page = Page(await pager.more(), hex_spans)
        return Contents("hex", size, page, pager, verified=view.verified, problem=problem)
    pager = Pager(view, size, lay, encoding)
    lines = await pager.more()
    if lay is not None:
        return Contents("table", size, pager=pager, table=lay, records=lines, verified=view.verified, problem=problem)
    known = line_highlighter(path)
    if pager.ended and size <= WHOLE_LIMIT and known is None:
        page = await asyncio.to_thread(text_page, path, "\n".join(lines))
    else:
        page = Page(lines, known or plain)
    return Contents("text", size, page, pager, verified=view.verified, problem=problem)
