"""Lists in pages: tags, repositories, referrers (distribution-spec, "Listing Tags" and "Listing Referrers")."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

from kittui.errors import BadReference, Malformed, NotFound, RegistryError
from kittui.oci.manifest import load_object
from kittui.registry.calls import Answer, Call, origin
from kittui.registry.headers import next_link
from kittui.registry.session import Session

PAGE = 1000
"""Entries asked for: n=0 has some registries answer nothing, more than 1000 has others answer 400."""
_PAGE_LIMIT = 64 * 1024 * 1024
_MOST_PAGES = 100_000
_MOST_RESTARTS = 3


async def pages(session: Session, call: Call) -> AsyncIterator[Answer]:
    """Every page in order, following `Link` as it is written but never off the registry nor to a page seen before.

    Raises NotFound on a later page as `_PageGone`, when the registry no longer knows where to go on.
    """
    seen: set[str] = set()
    current = call
    while len(seen) < _MOST_PAGES:
        try:
            answer = await session.ask(current, _PAGE_LIMIT)
        except NotFound as error:
            if seen:
                raise PageGone(error.message, hint=error.hint) from error
            raise
        seen.add(str(answer.url))
        yield answer
        link = next_link(answer.headers.get_list("Link"))
        if link is None or answer.status != 200:
            return
        following = session.join(answer.url, link)
        if origin(following) != origin(await session.base()) or str(following) in seen:
            return
        current = replace(current, url=following)


class PageGone(NotFound):
    """A page after the first is not found: the entry it continues from was deleted meanwhile."""


async def names(session: Session, call: Call, key: str, check: Callable[[str], object]) -> AsyncIterator[list[str]]:
    """The names of a list, page by page, each once; names that break OCI's rules are passed over.

    Starts again when the entry that a page continues from is gone, and without `n` where the registry refuses it.
    """
    seen: set[str] = set()
    plain = call
    call = replace(call, path=f"{call.path}?n={PAGE}")
    for attempt in range(_MOST_RESTARTS + 1):
        try:
            async for answer in pages(session, call):
                fresh = [name for name in _names(answer.body, key, check) if name not in seen]
                fresh = list(dict.fromkeys(fresh))
                seen.update(fresh)
                yield fresh
            return
        except PageGone:
            if attempt == _MOST_RESTARTS:
                raise
        except RegistryError as error:
            if error.status != 400 or seen or call is plain:
                raise
            call = plain


def _names(body: bytes, key: str, check: Callable[[str], object]) -> list[str]:
    listed: Any = load_object(body, f"the list of {key}").get(key)
    if listed is None:
        return []
    if not isinstance(listed, list):
        raise Malformed(f"the registry's {key} are no list")
    return [name for name in listed if isinstance(name, str) and _passes(check, name)]


def _passes(check: Callable[[str], object], name: str) -> bool:
    try:
        check(name)
    except BadReference:
        return False
    return True
