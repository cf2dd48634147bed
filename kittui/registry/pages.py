"""Reads paged lists: tags, repositories, referrers (distribution-spec, "Listing Tags" and "Listing Referrers")."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

import httpx

from kittui.errors import BadReference, KittuiError, Malformed, NotFound, RegistryError
from kittui.oci.manifest import load_object
from kittui.oci.protocols import Incomplete
from kittui.registry.calls import Answer, Call
from kittui.registry.headers import next_link
from kittui.registry.session import Session
from kittui.tasks import aside_if_large

PAGE: Final = 1000
"""Entries per request: some registries answer n=0 with nothing, others more than 1000 with 400."""
_PAGE_LIMIT: Final = 64 * 1024 * 1024
_LIST_LIMIT: Final = 256 * 1024 * 1024
"""Maximum bytes of all pages of one list."""
_MOST_PAGES: Final = 10_000
_MOST_BARREN: Final = 3
"""After this many pages in a row without a new entry, a list counts as circular."""
_MOST_RESTARTS: Final = 3

T = TypeVar("T")


async def pages(session: Session, call: Call, read: Callable[[Answer], Mapping[str, T]]) -> AsyncIterator[list[T]]:
    """Yield the entries of every page in order, each once; `read` returns a page's entries by their keys.

    `Link` is followed to its path and query on the registry's own origin, whatever its host: gateways often pass on a
    Link with the registry's inner address. The generator ends normally only at the list's real end. Raises Incomplete
    if it can't get there, PageGone if the registry no longer knows where to continue, and what `Session.ask` and `read`
    raise on the first page.
    """
    own = httpx.URL(f"{await session.base()}{call.path}")
    asked: set[str] = set()
    found: set[str] = set()
    received = barren = 0
    targets = [own]
    for number in range(_MOST_PAGES):
        answer = await _first_of(session, call, targets, later=number > 0)
        asked.update(map(str, [*targets, answer.url]))
        try:
            entries = await aside_if_large(len(answer.body), read, answer)
        except KittuiError as error:
            if number == 0:
                raise
            raise Incomplete(call.doing, error.message) from error
        fresh = [entry for key, entry in entries.items() if key not in found]
        barren = 0 if fresh else barren + 1
        received += len(answer.body)
        found.update(entries)
        yield fresh
        link = next_link(answer.headers.get_list("Link"))
        if link is None or answer.status != 200:
            return
        if barren >= _MOST_BARREN:
            raise Incomplete(call.doing, f"{barren} pages in a row had no new entries")
        targets = [url for url in _following(own, await session.base(), answer.url, link) if str(url) not in asked]
        if not targets:
            raise Incomplete(call.doing, "the link to its next page is invalid, or leads to a page already read")
        if received > _LIST_LIMIT:
            break
    raise Incomplete(call.doing, "it is too long for kittui")


class PageGone(NotFound):
    """A page after the first was not found: the entry from which it continues was deleted meanwhile."""


async def _first_of(session: Session, call: Call, targets: list[httpx.URL], *, later: bool) -> Answer:
    """Return the first answer from these addresses; `later`: this is not the list's first page."""
    problem: KittuiError | None = None
    for url in targets:
        try:
            return await session.ask(replace(call, url=url), _PAGE_LIMIT)
        except KittuiError as error:
            if not later:
                raise
            problem = problem or error
    assert problem is not None  # noqa: S101 - there is at least one address
    if isinstance(problem, NotFound):
        raise PageGone(problem.message, hint=problem.hint) from problem
    raise Incomplete(call.doing, problem.message) from problem


def _following(own: httpx.URL, base: httpx.URL, at: httpx.URL, link: str) -> list[httpx.URL]:
    """The possible addresses of the next page.

    First the link's path and query on the registry's own origin, then its query on our path: that is for gateways that
    map names: their registry writes a path that only it knows.
    """
    try:
        target = at.join(link)
    except (httpx.InvalidURL, ValueError):
        return []
    urls = [base.copy_with(raw_path=target.raw_path)] if target.path.startswith(base.path) else []
    if target.path != own.path and target.query:
        urls.append(own.copy_with(query=target.query))
    return urls


async def names(session: Session, call: Call, key: str, check: Callable[[str], object]) -> AsyncIterator[list[str]]:
    """Yield the names of a list, page by page, each once; raises Incomplete at the end if names had to be left out.

    Starts again if the entry from which a page continues is gone, and without `n` if the registry refuses it.
    """
    seen: set[str] = set()
    odd: set[str] = set()

    def read(answer: Answer) -> dict[str, str]:
        listed = _listed(answer.body, key)
        valid = {name: name for name in listed if isinstance(name, str) and _passes(check, name)}
        odd.update(str(name)[:60] for name in listed if not isinstance(name, str) or name not in valid)
        return valid

    plain = call
    call = replace(call, path=f"{call.path}?n={PAGE}")
    for attempt in range(_MOST_RESTARTS + 1):
        try:
            async for page in pages(session, call, read):
                fresh = [name for name in page if name not in seen]
                seen.update(fresh)
                yield fresh
            break
        except PageGone as error:
            if attempt == _MOST_RESTARTS:
                raise Incomplete(call.doing, f"a later page is not found: {error.message}") from error
        except RegistryError as error:
            if error.status != 400 or seen or call is plain:
                raise
            call = plain
    if odd:
        raise Incomplete(call.doing, f"{len(odd)} of its names are not valid, as {min(odd)!r}")


def _listed(body: bytes, key: str) -> list[Any]:
    listed: Any = load_object(body, f"the list of {key}").get(key)
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise Malformed(f"the registry's {key} are not a list")
    return listed


def _passes(check: Callable[[str], object], name: str) -> bool:
    try:
        check(name)
    except BadReference:
        return False
    return True
