"""The disk usage of a source on this machine, and what each removal would free."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kittui.errors import Unsupported
from kittui.oci.digest import Digest
from kittui.oci.holdings import Holding, Holdings, Progressed, SupportsHoldings
from kittui.oci.protocols import Repository, Source
from kittui.oci.tag import Tag


@dataclass(frozen=True, slots=True)
class Used:
    """A ModelKit on disk, or an attachment of one (`subject`): all its bytes, and those that its removal frees."""

    repository: Repository
    held: Holding
    size: int
    freed: int

    @property
    def digest(self) -> Digest:
        """Its manifest."""
        return self.held.digest

    @property
    def target(self) -> Tag | Digest:
        """A tag to open it by, else its digest."""
        return self.held.tags[0] if self.held.tags else self.held.digest

    @property
    def reference(self) -> str:
        """Its reference as a user would type it."""
        return self.repository.reference(self.target)


@dataclass(frozen=True, slots=True)
class Usage:
    """The disk usage of a source: all ModelKits, sorted by the bytes that their removal frees."""

    source: Source
    holdings: Holdings
    used: tuple[Used, ...]

    def freed(self, used: Iterable[Used]) -> int:
        """Bytes that become free if all of these are removed together."""
        return self.holdings.freed(one.held for one in used)

    def shared(self, one: Used) -> list[tuple[int, list[str]]]:
        """What it shares, largest first: bytes, and the other ModelKits to remove before they become free."""
        names = {each.held.key: each.reference for each in self.used}
        found = self.holdings.shared(one.held).items()
        return sorted(((size, sorted(names[other.key] for other in others)) for others, size in found), reverse=True)

    @property
    def repositories(self) -> Mapping[str, int]:
        """The bytes that become free if a whole repository is removed, by name."""
        names = sorted({one.repository.name for one in self.used})
        return {name: self.freed(one for one in self.used if one.repository.name == name) for name in names}

    def to_json(self, only: str | None = None) -> dict[str, Any]:
        """As contract.md has it; `only` one repository's ModelKits."""
        shown = [one for one in self.used if only in (None, one.repository.name)]
        return {
            "source": str(self.source.place),
            "size": self.holdings.total,
            "unused": self.holdings.unused,
            "unfinished": self.holdings.leftovers,
            "doubt": self.holdings.doubt or None,
            "repositories": [
                {"name": name, "frees": frees} for name, frees in self.repositories.items() if only in (None, name)
            ],
            "modelkits": [
                {
                    "repository": one.repository.reference(),
                    "digest": one.digest,
                    "tags": one.held.tags,
                    "subject": one.held.subject,
                    "size": one.size,
                    "frees": one.freed,
                    "shared": [{"size": size, "with": names} for size, names in self.shared(one)],
                }
                for one in shown
            ],
        }


async def usage_of(source: Source, on_progress: Progressed = lambda done, total: None) -> Usage:
    """Compute the disk usage of a source on this machine. Raises Unsupported for a registry."""
    if not isinstance(source, SupportsHoldings):
        raise Unsupported(
            f"{source.traits.title} does not report its disk usage",
            hint="Disk usage works for local:// and for layouts (oci:DIR).",
            reference=str(source.place),
        )
    holdings = await source.holdings(on_progress)
    used = [
        Used(source.repository(one.repository), one, holdings.size(one), holdings.freed([one])) for one in holdings.held
    ]
    used.sort(key=lambda one: (-one.freed, -one.size, one.repository.name, one.digest))
    return Usage(source, holdings, tuple(used))
