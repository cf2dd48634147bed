"""How a layout's `index.json` names things: repositories and tags in `org.opencontainers.image.ref.name`.

skopeo, oras and regctl write a plain tag there, or `repository:tag`, with or without a registry's host. A plain tag is
in the repository `.`, which stands for the whole layout; so is a manifest without name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kittui.disk.documents import IndexDocument, IndexEntry
from kittui.errors import BadReference
from kittui.oci.descriptor import Descriptor
from kittui.oci.media_types import REF_NAME
from kittui.oci.reference import WHOLE_LAYOUT, check_host, check_repository
from kittui.oci.tag import Tag

HOME = "io.kittui.repository"
"""The annotation of an entry without a tag: the repository of its last tag, in which it stays."""


@dataclass(frozen=True, slots=True)
class NamedEntry:
    """An entry of `index.json` with the repository and tag in its name; `number` is its position in the file."""

    number: int
    repository: str
    tag: Tag | None
    entry: IndexEntry
    problem: str | None = None

    @property
    def descriptor(self) -> Descriptor | None:
        """The descriptor as written in the file."""
        return self.entry.descriptor


def named_entries(index: IndexDocument) -> Sequence[NamedEntry]:
    """Read all entries in file order; of two entries with the same name the first one gets it, as in skopeo."""
    found: list[NamedEntry] = []
    taken: set[tuple[str, str]] = set()
    for number, entry in enumerate(index.entries):
        if entry.descriptor is None:
            found.append(NamedEntry(number, WHOLE_LAYOUT, None, entry, entry.problem))
            continue
        name = entry.descriptor.annotations.get(REF_NAME)
        if not name:
            found.append(NamedEntry(number, _home(entry.descriptor), None, entry))
            continue
        try:
            repository, tag = split_name(name)
        except BadReference:
            problem = f"its name {name[:140]!r} is neither a tag nor REPOSITORY:TAG: reach it by its digest"
            found.append(NamedEntry(number, WHOLE_LAYOUT, None, entry, problem))
            continue
        if tag is not None and (repository, tag) in taken:
            problem = f"an earlier entry of index.json has the name {name} too: reach this one by its digest"
            found.append(NamedEntry(number, repository, None, entry, problem))
            continue
        if tag is not None:
            taken.add((repository, tag))
        found.append(NamedEntry(number, repository, tag, entry))
    return found


def _home(descriptor: Descriptor) -> str:
    """The repository of a manifest without a name: that of its last tag, if known."""
    home = descriptor.annotations.get(HOME)
    try:
        return split_name(f"{home}:tag")[0] if home else WHOLE_LAYOUT
    except BadReference:
        return WHOLE_LAYOUT


def split_name(name: str) -> tuple[str, Tag | None]:
    """Split a ref.name into repository and tag; raises BadReference if it is neither a tag nor a reference."""
    if "/" not in name and ":" not in name and "@" not in name:
        return WHOLE_LAYOUT, Tag.parse(name)
    rest, _, _ = name.partition("@")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    repository = head + slash + last
    first, slash, tail = repository.partition("/")
    if slash and ("." in first or ":" in first):
        check_host(first)
        check_repository(tail)
    else:
        check_repository(repository)
    return repository, Tag.parse(tag) if colon else None


def join_name(repository: str, tag: Tag) -> str:
    """Build the ref.name of a tag in a repository of the layout."""
    return tag if repository == WHOLE_LAYOUT else f"{repository}:{tag}"
