"""One Kitfile value, file or tensor over a repository's versions: when did it change, and with which version."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from kittui.compare.documents import same_value
from kittui.errors import KittuiError, UsageError
from kittui.usecases.diff import OpenModelKit
from kittui.usecases.diff_manifests import without_digests
from kittui.usecases.tag_names import natural_key

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.usecases.look import Inspector

Kind = Literal["value", "file", "tensor"]
_AT_ONCE = 6
_FILE_LIMIT = 64 * 1024
"""Bytes of a file up to which its content is told apart by reading it; larger ones by size and layer."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is followed: a Kitfile path, a file's path, or a tensor's name in a file."""

    kind: Kind
    path: str
    tensor: str = ""

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Read `model.parameters.lr`, `file:src/train.py` or `tensor:model/m.safetensors:dense.weight`."""
        if text.startswith("file:"):
            return cls("file", text.removeprefix("file:"))
        if text.startswith("tensor:"):
            path, colon, tensor = text.removeprefix("tensor:").partition(":")
            if not colon or not path or not tensor:
                raise UsageError(f"{text!r} names no tensor", hint="Write tensor:FILE:NAME.")
            return cls("tensor", path, tensor)
        if not text:
            raise UsageError("nothing to follow", hint="Write a Kitfile path, file:PATH or tensor:FILE:NAME.")
        return cls("value", text)


@dataclass(frozen=True, slots=True)
class Moment:
    """One version. `found` is false where it has no such thing; `changed` tells whether it differs from the one before.

    `created` is the manifest's own annotation, as text; `identity` is what content is told apart by.
    """

    tags: tuple[str, ...]
    digest: str
    created: str | None
    found: bool
    value: Any = None
    identity: Any = None
    changed: bool = False
    problem: str | None = None


@dataclass(slots=True)
class TimelineUseCase:
    """Reads every version of a repository, each manifest once."""

    modelkit: OpenModelKit
    inspector: Inspector

    async def follow(self, repository: Repository, subject: Subject) -> tuple[Moment, ...]:
        """The versions from the oldest: by their creation times where all have one, else in the order of their tags.

        A version that can't be read has a problem; raises what listing the tags raises.
        """
        by_digest: dict[str, list[str]] = {}
        async for name in self._tags(repository):
            try:
                digest = str((await repository.resolve(name)).digest)
            except KittuiError as error:
                by_digest[f"unreadable {name}"] = [name]
                by_digest[f"unreadable {name}"].append(error.message)
                continue
            by_digest.setdefault(digest, []).append(name)
        slots = asyncio.Semaphore(_AT_ONCE)

        async def one(digest: str, tags: Sequence[str]) -> Moment:
            if digest.startswith("unreadable "):
                return Moment((tags[0],), "", None, False, problem=tags[1])
            async with slots:
                return await self._moment(repository, digest, tuple(sorted(tags, key=natural_key)), subject)

        moments = await asyncio.gather(*(one(digest, tags) for digest, tags in by_digest.items()))
        return mark_changes(in_order(moments))

    async def _tags(self, repository: Repository) -> AsyncIterator[str]:
        from kittui.usecases.browse import tags

        async for page in tags(repository):
            for entry in page:
                if entry.name is not None:
                    yield entry.name

    async def _moment(self, repository: Repository, digest: str, tags: tuple[str, ...], subject: Subject) -> Moment:
        moment = Moment(tags, digest, None, False)
        try:
            kit = await self.modelkit(repository, digest)
            moment = replace(moment, created=kit.created)
            if subject.kind == "value":
                found, value = lookup(without_digests(kit.kitfile or {}), subject.path)
                return replace(moment, found=found, value=value, identity=value)
            return await self._inside(repository, kit, subject, moment)
        except KittuiError as error:
            return replace(moment, problem=error.message)

    async def _inside(self, repository: Repository, kit: Any, subject: Subject, moment: Moment) -> Moment:
        for layer in kit.layers:
            listing = await self.inspector.listing(repository, layer)
            for entry in listing.files:
                if entry.path != subject.path or entry.type != "file":
                    continue
                if subject.kind == "tensor":
                    weights = await self.inspector.weights(repository, layer, entry)
                    for tensor in weights.tensors:
                        if tensor.name == subject.tensor:
                            words = f"{tensor.dtype} {list(tensor.shape)}"
                            return replace(moment, found=True, value=words, identity=(words, str(layer.digest)))
                    return moment
                identity: Any = (entry.size, str(layer.digest))
                value: Any = f"{entry.size} bytes"
                if entry.size <= _FILE_LIMIT:
                    from hashlib import sha256

                    content = await self.inspector.read_file(repository, layer, entry, _FILE_LIMIT)
                    identity = sha256(content).hexdigest()
                    value += f", sha256 {identity[:12]}"
                else:
                    value += f", layer {layer.digest.short}"
                return replace(moment, found=True, value=value, identity=identity)
        return moment


def in_order(moments: Sequence[Moment]) -> list[Moment]:
    """Oldest first: by creation time where all have one, else by tag in natural order."""
    if moments and all(moment.created for moment in moments):
        return sorted(moments, key=lambda moment: (moment.created or "", natural_key(_version_tag(moment.tags))))
    return sorted(moments, key=lambda moment: natural_key(_version_tag(moment.tags)))


def _version_tag(tags: Sequence[str]) -> str:
    """The tag that says most of a version's place: one with a digit, where there is one."""
    return next((tag for tag in tags if any(character.isdigit() for character in tag)), tags[0] if tags else "")


def mark_changes(moments: Sequence[Moment]) -> tuple[Moment, ...]:
    """Say of each version whether it differs from the last one before it that could be read."""
    result = []
    before: Moment | None = None
    for moment in moments:
        changed = False
        if before is not None and moment.problem is None:
            changed = moment.found != before.found or not same_value(_listed(moment.identity), _listed(before.identity))
        if moment.problem is None:
            before = moment
        result.append(replace(moment, changed=changed))
    return tuple(result)


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def lookup(document: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """The value at a path as comparisons write it (`datasets[training].path`); whether it is there, and what it is."""
    from kittui.compare.documents import values_by_path

    if path in (found := values_by_path(document)):
        return True, found[path]
    return False, None
