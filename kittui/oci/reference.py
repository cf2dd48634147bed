"""Parses references: which ModelKit, in which place (kit's reference policy, and the three kinds of source)."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from kittui.errors import BadReference, KittuiError
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.oci.target import Target

Kind = Literal["local", "remote", "oci"]

DEFAULT_REGISTRY = "localhost"
UNNAMED = "_"
"""The repository of kit's unnamed kits, in the default registry."""
WHOLE_LAYOUT = "."
"""The repository of a layout's plain tags: those whose ref.name holds no repository."""

_REPOSITORY_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_REPOSITORY_PART}(?:/{_REPOSITORY_PART})*\Z")

_HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)"
    r"(?::[0-9]{1,5})?\Z"
)


@dataclass(frozen=True, slots=True)
class Place:
    """A source: the store, one registry (`host`), or one layout folder (`directory`)."""

    kind: Kind
    host: str = ""
    directory: str = ""

    def __str__(self) -> str:
        if self.kind == "local":
            return "local://"
        return f"remote://{self.host}" if self.kind == "remote" else f"oci:{_unmistakable(self.directory)}"


LOCAL = Place("local")


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository and perhaps a tag or digest in it.

    `kind` is None if the text had no prefix: then the store is tried first, then the registry. `registry` is kit's
    (`localhost` if none was written) and empty for layouts; `directory` is a layout's folder.
    """

    kind: Kind | None
    registry: str
    repository: str
    tag: Tag | None = None
    digest: Digest | None = None
    directory: str = ""

    @property
    def target(self) -> Target | None:
        """The target in the repository: the digest, else the tag."""
        return self.digest or self.tag

    @property
    def names_host(self) -> bool:
        """Whether a registry was written, so that it can be tried if the store lacks it."""
        return self.kind == "remote" or (self.kind is None and self.registry != DEFAULT_REGISTRY)

    @property
    def store_name(self) -> str:
        """The repository's name in kit's store, including the registry, even the default one."""
        return f"{self.registry}/{self.repository}"

    @property
    def place(self) -> Place:
        """The source; without prefix, the registry in the text, else the store."""
        if self.kind == "oci":
            return Place("oci", directory=self.directory)
        if self.kind == "remote" or (self.kind is None and self.names_host):
            return Place("remote", host=self.registry)
        return LOCAL

    def at(self, target: Target | None) -> Reference:
        """The same repository at another tag or digest."""
        if target is None:
            return replace(self, tag=None, digest=None)
        if isinstance(target, Digest):
            return replace(self, tag=None, digest=target)
        return replace(self, tag=target, digest=None)

    def in_kind(self, kind: Kind) -> Reference:
        """The same text read as a reference to the store, or to the registry."""
        return replace(self, kind=kind)

    def __str__(self) -> str:
        suffix = f"@{self.digest}" if self.digest else f":{self.tag}" if self.tag else ""
        if self.kind == "oci":
            inside = "" if self.repository == WHOLE_LAYOUT else f"/{self.repository}"
            return f"oci:{_unmistakable(self.directory)}{inside}{suffix}"
        if self.kind == "remote":
            return f"remote://{self.registry}/{self.repository}{suffix}"
        prefix = "local://" if self.kind == "local" else ""
        return prefix + store_display(self.store_name) + suffix


def store_display(store_name: str) -> str:
    """A store repository's name as `ls` prints it: kit's default registry left out, `localhost/_` as it is."""
    registry, _, repository = store_name.partition("/")
    if registry == DEFAULT_REGISTRY and repository != UNNAMED:
        return repository
    return store_name


def parse_reference(text: str, is_layout: Callable[[str], bool] = lambda _: False) -> Reference:
    """Parse a user's reference to a ModelKit or a repository.

    `is_layout` says whether a folder is an OCI image layout, which distinguishes `oci:DIR/REPOSITORY` from a longer
    folder. Raises BadReference with the allowed form.
    """
    if any(ord(character) < 32 or ord(character) == 127 for character in text) or len(text) > 4096:
        raise BadReference("a reference holds no control characters and at most 4096 characters")
    try:
        if text.startswith("local://"):
            return _kit(text.removeprefix("local://"), "local")
        if text.startswith("remote://"):
            return _remote(text.removeprefix("remote://"))
        for prefix in ("ocidir://", "oci://", "oci:"):
            if text.startswith(prefix):
                return _layout(text.removeprefix(prefix), is_layout, bare_host=prefix.endswith("//"))
        if "://" in text:
            raise BadReference(f"{text.partition('://')[0]}:// is not a source", hint=_FORMS)
        return _kit(text, None)
    except KittuiError as error:
        raise error.at(text) from None


def parse_source(text: str, is_layout: Callable[[str], bool] = lambda _: False) -> Place | Reference:
    """Parse what opens a source: `local://`, `remote://HOST`, `oci:DIR`, a bare HOST[:PORT], or a reference in one."""
    if text in ("local://", "local:"):
        return LOCAL
    if text.startswith("remote://"):
        host = text.removeprefix("remote://").rstrip("/")
        if "/" not in host:
            return Place("remote", host=check_host(host))
    elif text.startswith(("oci:", "ocidir:")):
        reference = parse_reference(text, is_layout)
        if reference.repository == WHOLE_LAYOUT and not reference.target and not text.endswith("/."):
            return Place("oci", directory=reference.directory)
        return reference
    elif "/" not in text.rstrip("/"):
        bare = text.rstrip("/")
        name, colon, port = bare.rpartition(":")
        if _HOST.match(bare) and ((colon and port.isdigit()) or ("." in bare and not colon)):
            return Place("remote", host=check_host(bare))
        if bare.startswith("[") and name:
            return Place("remote", host=check_host(bare))
    return parse_reference(text, is_layout)


def check_repository(name: str) -> str:
    """Return the repository name; raises BadReference unless it is one (distribution-spec)."""
    if len(name) > 255 or not _REPOSITORY.match(name):
        raise BadReference(
            f"{name[:140]!r} is not a repository name",
            hint="Repository names are lower-case letters and digits, separated by '.', '_', '-' or '/'.",
        )
    return name


def check_host(host: str) -> str:
    """Return the host with its port; raises BadReference unless it is one."""
    port = host.rpartition(":")[2] if ":" in host and not host.endswith("]") else "0"
    if len(host) > 255 or not _HOST.match(host) or int(port) > 65535:
        raise BadReference(f"{host[:140]!r} is not a registry host", hint="A registry is written HOST or HOST:PORT.")
    return host


_FORMS = "Write [local://]REPO[:TAG|@DIGEST], [remote://]HOST[:PORT]/REPO[:TAG|@DIGEST] or oci:DIR[:TAG|@DIGEST]."


def _target(text: str) -> tuple[str, Tag | None, Digest | None]:
    """Split a repository's tag and digest off; with both, the digest wins, as in kit."""
    name, at, digest_text = text.partition("@")
    digest = Digest.parse(digest_text) if at else None
    head, slash, last = name.rpartition("/")
    last, colon, tag = last.partition(":")
    named = Tag.parse(tag) if colon else None
    return head + slash + last, (None if digest else named), digest


def _kit(text: str, kind: Literal["local"] | None) -> Reference:
    if text.startswith(("sha256:", "sha512:")):
        return Reference(kind, DEFAULT_REGISTRY, UNNAMED, None, Digest.parse(text))
    name, tag, digest = _target(text)
    if name in (UNNAMED, f"{DEFAULT_REGISTRY}/{UNNAMED}"):
        return Reference(kind, DEFAULT_REGISTRY, UNNAMED, tag, digest)
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first):
        return Reference(kind, check_host(first), check_repository(rest), tag, digest)
    if not name:
        raise BadReference("the reference is empty", hint=_FORMS)
    return Reference(kind, DEFAULT_REGISTRY, check_repository(name), tag, digest)


def _remote(text: str) -> Reference:
    host, slash, rest = text.partition("/")
    if not slash or not rest:
        raise BadReference("a remote reference names a registry and a repository", hint=_FORMS)
    name, tag, digest = _target(rest)
    return Reference("remote", check_host(host), check_repository(name), tag, digest)


def _layout(text: str, is_layout: Callable[[str], bool], *, bare_host: bool) -> Reference:
    """Split off a layout's folder, which may contain ':' and '@': the longest prefix that is a layout wins.

    Other tools write a registry as `oci://HOST/REPO`: a text that begins like a host and is not a layout is ambiguous,
    so it is refused; with `bare_host`, a host alone too.
    """
    if not text:
        raise BadReference("oci: needs a folder", hint="Write oci:DIR[:TAG|@DIGEST].")
    for end in [len(text), *sorted((m.start() for m in re.finditer(r"[/:@]", text)), reverse=True)]:
        directory = text[:end]
        if directory and is_layout(directory):
            return _inside_layout(directory.rstrip("/") or "/", text[end:])
    if _begins_like_a_host(text, alone=bare_host):
        raise BadReference(
            f"oci:{text} names a folder, and looks like a registry",
            hint=f"Write {text} for the registry, oci:./{text} for a folder.",
        )
    head, slash, last = text.rpartition("/")
    at = re.search(r"[:@]", last)
    if at is None or last in (".", ".."):
        return Reference("oci", "", WHOLE_LAYOUT, directory=os.path.normpath(text))
    return _inside_layout(head + slash + last[: at.start()], last[at.start() :])


def _begins_like_a_host(folder: str, *, alone: bool = False) -> bool:
    """Whether a folder's first element could be a registry; with `alone`, also if nothing follows it."""
    first, slash, _ = folder.partition("/")
    named = _HOST.match(first) is not None and (first == "localhost" or "." in first or ":" in first)
    return named and (bool(slash) or alone)


def _unmistakable(folder: str) -> str:
    """Write a folder for `oci:` so that it can't be mistaken for a registry."""
    return f"./{folder}" if _begins_like_a_host(folder) else folder


def _inside_layout(directory: str, rest: str) -> Reference:
    empty = Reference("oci", "", WHOLE_LAYOUT, directory=os.path.normpath(directory) if directory else ".")
    if rest.strip("/") in ("", "."):
        return empty
    if rest.startswith("/") or "/" in rest or rest.count(":") > (2 if "@" in rest else 1):
        name, tag, digest = _target(rest.lstrip("/:"))
        if name == WHOLE_LAYOUT:
            return replace(empty, tag=tag, digest=digest)
        first, slash, tail = name.partition("/")
        if slash and (":" in first or "." in first):
            check_host(first)
            check_repository(tail)
        else:
            check_repository(name)
        return replace(empty, repository=name, tag=tag, digest=digest)
    _, tag, digest = _target("x" + rest)
    return replace(empty, tag=tag, digest=digest)
