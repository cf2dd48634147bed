"""Follows one Kitfile value, file or tensor across a repository's versions: when it changed, and in which version."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from kittui.compare.documents import same_value, values_by_path
from kittui.errors import KittuiError, UsageError
from kittui.formats.tar import plain_path
from kittui.oci.descriptor import Descriptor
from kittui.oci.order import is_version, natural_key
from kittui.oci.tag import Tag
from kittui.tasks import spread
from kittui.usecases.browse.exact import exact_kitfile
from kittui.usecases.diff.compare import OpenModelKit
from kittui.usecases.diff.manifests import without_digests

if TYPE_CHECKING:
    from kittui.formats.tar import FileEntry
    from kittui.modelkit import Layer
    from kittui.oci.digest import Digest
    from kittui.oci.protocols import Incomplete, Repository
    from kittui.usecases.inspect.inspector import Inspector

Kind = Literal["value", "file", "tensor"]
_DIGIT = re.compile(r"\d")
READ_REMOTE = 1024 * 1024
"""The largest file or tensor in bytes that is read over the network for comparison; local ones always are."""
_PIECE = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Content:
    """What identifies a file's or tensor's content: its form as text, its sha256 if it was read, and its layer.

    `layer` is the digest of the layer's uncompressed content, if known; empty if the bytes are
    in a file that was not found, so that two such contents can't be compared.
    """

    form: str
    digest: str | None
    layer: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What to follow: a Kitfile path, a file's path, or a tensor's name in a file."""

    kind: Kind
    path: str
    tensor: str = ""

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Read `model.parameters.lr`, `file:src/train.py` or `tensor:model/m.safetensors:dense.weight`."""
        if text.startswith("file:"):
            return cls("file", plain_path(text.removeprefix("file:")))
        if text.startswith("tensor:"):
            path, colon, tensor = text.removeprefix("tensor:").partition(":")
            if not colon or not path or not tensor:
                raise UsageError(f"{text!r} has no tensor name", hint="Write tensor:FILE:NAME.")
            return cls("tensor", plain_path(path), tensor)
        if not text:
            raise UsageError("nothing to follow", hint="Write a Kitfile path, file:PATH or tensor:FILE:NAME.")
        return cls("value", text)


@dataclass(frozen=True, slots=True)
class Moment:
    """One version. `found` is false if it lacks the subject, which is not a change; `changed` says whether it
    differs from the last earlier version that has it.

    `maybe`: it is in another layer and was not read, so it may or may not differ.
    `created` is the manifest's annotation as text; `identity` identifies the content.
    """

    tags: tuple[Tag, ...]
    digest: Digest | None
    created: str | None
    found: bool
    value: Any = None
    identity: Any = None
    changed: bool = False
    maybe: bool = False
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The versions, oldest first; `incomplete` is why there may be more."""

    moments: tuple[Moment, ...]
    incomplete: Incomplete | None = None


@dataclass(slots=True)
class Following:
    """A timeline's progress: tags whose version was read, out of how many, and the versions so far."""

    total: int
    done: int = 0
    read: dict[Digest, Moment | None] = field(default_factory=dict)
    tags: dict[Digest, list[Tag]] = field(default_factory=dict)
    unread: list[Moment] = field(default_factory=list)

    @property
    def moments(self) -> list[Moment]:
        """The versions read so far, oldest first; which of them changed is known once all are read."""
        found = [
            replace(moment, tags=tuple(sorted(self.tags[digest], key=_speaking)))
            for digest, moment in self.read.items()
            if moment is not None
        ]
        return in_order([*found, *self.unread])


@dataclass(slots=True)
class TimelineUseCase:
    """Reads every version of a repository, each manifest once."""

    modelkit: OpenModelKit
    inspector: Inspector
    _digests: dict[tuple[str, str, int, int], str] = field(default_factory=dict, init=False, repr=False)

    async def follow(
        self, repository: Repository, subject: Subject, report: Callable[[Following], None] = lambda _: None
    ) -> Timeline:
        """Read the versions, oldest first: by creation time if all have one, else in the order of their tags.

        A version that can't be read has a problem. `report` is called after each. Raises the errors of listing tags.
        """
        from kittui.usecases.browse.modelkits import list_tags

        listing = await list_tags(repository)
        named = [(each.name, each.descriptor) for each in listing.tags if each.name]
        following = Following(len(named))

        async def read(tag: tuple[Tag, Descriptor | None]) -> None:
            name, descriptor = tag
            try:
                digest = (descriptor or await repository.resolve(name)).digest
            except KittuiError as error:
                following.unread.append(Moment((name,), None, None, False, problem=error.message))
            else:
                known = digest in following.tags
                following.tags.setdefault(digest, []).append(name)
                if not known:
                    following.read[digest] = await self._moment(repository, digest, subject)
            following.done += 1
            report(following)

        report(following)
        await spread(named, read, at_once=repository.source.traits.at_once)
        return Timeline(mark_changes(following.moments), listing.incomplete)

    async def _moment(self, repository: Repository, digest: Digest, subject: Subject) -> Moment | None:
        """One version, without its tags; None for an index, which is not a version."""
        moment = Moment((), digest, None, False)
        try:
            kit = await self.modelkit(repository, digest)
            if kit.manifest.is_index:
                return None
            moment = replace(moment, created=kit.created)
            if subject.kind == "value":
                found, value = lookup(without_digests(exact_kitfile(kit)), subject.path)
                return replace(moment, found=found, value=value, identity=value)
            return await self._inside(repository, kit, subject, moment)
        except KittuiError as error:
            return replace(moment, problem=error.message)

    async def _inside(self, repository: Repository, kit: Any, subject: Subject, moment: Moment) -> Moment:
        found = await self._file(repository, kit, subject.path)
        if found is None:
            return moment
        layer, entry = found
        if entry.oid and subject.kind == "file":
            content = Content(entry.note, entry.oid, _content_of(layer))
            return replace(moment, found=True, value=f"{entry.note}, sha256 {entry.oid[:12]}", identity=content)
        form, start, size = f"{entry.size} bytes", 0, entry.size
        known = True
        if subject.kind == "tensor":
            weights = await self.inspector.weights(repository, layer, entry)
            tensor = next((each for each in weights.tensors if each.name == subject.tensor), None)
            if tensor is None:
                return moment
            form = f"{tensor.dtype} {list(tensor.shape)}"
            start, size = tensor.offset or 0, tensor.nbytes if tensor.nbytes is not None else -1
            known = tensor.offset is not None and not tensor.problem
            if known and tensor.file is not None:
                # Its bytes are in an external data file, which may be in another layer and change separately.
                beside = posixpath.normpath(posixpath.join(posixpath.dirname(entry.path), tensor.file))
                there = await self._file(repository, kit, beside)
                known = there is not None and start + size <= there[1].size
                layer, entry = there or found
        digest = await self._digest(repository, layer, entry, start, size) if known else None
        content = Content(form, digest, _content_of(layer) if known else "")
        value = f"{form}, {f'sha256 {digest[:12]}' if digest else 'content not read'}"
        return replace(moment, found=True, value=value, identity=content)

    async def _file(self, repository: Repository, kit: Any, path: str) -> tuple[Layer, FileEntry] | None:
        for layer in kit.layers:
            listing = await self.inspector.listing(repository, layer)
            # If a path occurs several times, the last one counts.
            for entry in reversed(listing.files):
                if entry.path == path and entry.type == "file":
                    return layer, entry
        return None

    async def _digest(
        self, repository: Repository, layer: Layer, entry: FileEntry, start: int, size: int
    ) -> str | None:
        """The sha256 of a range of a file, read once for all versions that share the layer; None if it is not read."""
        local = repository.source.traits.free
        if size < 0 or (size > READ_REMOTE and not local):
            return None
        key = str(layer.digest), entry.path, start, size
        if key not in self._digests:
            hasher = sha256()
            if size:
                view = await self.inspector.open(repository, layer, entry)
                for at in range(start, start + size, _PIECE):
                    hasher.update(await view.read(at, min(_PIECE, start + size - at)))
            self._digests[key] = hasher.hexdigest()
        return self._digests[key]


def _content_of(layer: Layer) -> str:
    """Identifies a layer's content independently of compression."""
    return str(layer.digest if layer.compression == "none" else layer.diff_id or layer.digest)


def in_order(moments: Sequence[Moment]) -> list[Moment]:
    """Oldest first: by creation time if all have one, else by tag in natural order."""
    if moments and all(moment.created for moment in moments):
        return sorted(moments, key=lambda moment: (moment.created or "", natural_key(_version_tag(moment.tags))))
    return sorted(moments, key=lambda moment: natural_key(_version_tag(moment.tags)))


def _speaking(tag: str) -> tuple[bool, str]:
    """Sort key for the tags of one version: version numbers first (`v2`, not `run-2`)."""
    return not is_version(tag), natural_key(tag)


def _version_tag(tags: Sequence[str]) -> str:
    """The tag that best orders a version: its number, else one with a digit, if any."""
    numbered = [tag for tag in tags if is_version(tag)]
    return next((tag for tag in (*numbered, *tags) if _DIGIT.search(tag)), tags[0] if tags else "")


def mark_changes(moments: Sequence[Moment]) -> tuple[Moment, ...]:
    """Mark for each version with the subject whether it differs from the previous version with it."""
    result = []
    before: Moment | None = None
    for moment in moments:
        changed = maybe = False
        if moment.found and moment.problem is None:
            if before is not None:
                changed, maybe = _differ(before, moment)
            before = moment
        result.append(replace(moment, changed=changed, maybe=maybe))
    return tuple(result)


def _differ(a: Moment, b: Moment) -> tuple[bool, bool]:
    """Whether two versions differ in the subject, and whether that is unknown."""
    if not (isinstance(a.identity, Content) and isinstance(b.identity, Content)):
        return not same_value(_listed(a.identity), _listed(b.identity)), False
    if a.identity.form != b.identity.form:
        return True, False
    if a.identity.digest and b.identity.digest:
        return a.identity.digest != b.identity.digest, False
    return False, not b.identity.layer or a.identity.layer != b.identity.layer


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def lookup(document: Mapping[str, Any], path: str) -> tuple[bool, Any]:
    """Look up a path as comparisons write it (`datasets[training].path`): whether it exists, and its value."""
    if path in (found := values_by_path(document)):
        return True, found[path]
    return False, None
