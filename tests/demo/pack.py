"""ModelKits in the very bytes that `kit pack` writes: tar headers, config and manifest. Values in, values out.

The layout of all three was established by rebuilding what kit 1.7 packed; the tests do so again.
"""

from __future__ import annotations

import gzip
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import KIT_CONFIG, OCI_MANIFEST
from kittui.oci.reference import parse_reference

BLOCK = 512
END = bytes(2 * BLOCK)
OWNER = 1000

Kitfile = Mapping[str, Any]
Compression = Literal["none", "gzip"]


@dataclass(frozen=True, slots=True)
class File:
    """A file in the folder that is packed; `mode` are its permission bits."""

    content: bytes
    mode: int = 0o644


Tree = Mapping[str, File]
"""The folder that is packed: clean relative paths to files. Its folders are those that hold them, of mode 0755."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A ModelKit: its manifest, and every blob that it names, config first, by digest."""

    manifest: bytes
    blobs: Mapping[Digest, bytes]

    @property
    def descriptor(self) -> Descriptor:
        """What a tag of it points to."""
        return Descriptor(OCI_MANIFEST, Digest.of(self.manifest), len(self.manifest))


def pack(
    kitfile: Kitfile,
    tree: Tree,
    *,
    version: str,
    compression: Compression = "none",
    annotations: Mapping[str, str] | None = None,
) -> Packed:
    """Pack what the Kitfile names; its keys stand in kit's order already, those of `parameters` are sorted here.

    `version` is written as the version of kit. Paths that lead to no file give kit's empty layer.
    """
    paths = [entry["path"] for _, entry in _entries(kitfile)]
    blobs: dict[Digest, bytes] = {}
    layers: list[dict[str, Any]] = []
    packed: dict[int, dict[str, Any]] = {}
    for base, entry in _entries(kitfile):
        archive = tar(_layer_files(tree, entry["path"], paths))
        blob = archive if compression == "none" else gzip.compress(archive, mtime=0)
        digest = Digest.of(blob)
        blobs[digest] = blob
        suffix = "" if compression == "none" else "+gzip"
        layers.append(Descriptor(f"application/vnd.kitops.modelkit.{base}.v1.tar{suffix}", digest, len(blob)).to_json())
        packed[id(entry)] = {"digest": str(digest), "diffId": str(Digest.of(archive))}
    config = go_json(_config(kitfile, packed))
    described = Descriptor(KIT_CONFIG, Digest.of(config), len(config))
    manifest = {
        "schemaVersion": 2,
        "config": described.to_json(),
        "layers": layers or None,
        "annotations": dict(sorted({"ml.kitops.modelkit.cli-version": version, **(annotations or {})}.items())),
    }
    return Packed(go_json(manifest), {described.digest: config, **blobs})


def tar(files: Mapping[str, File]) -> bytes:
    """An archive of files and the folders above them, in kit's order and header layout (POSIX ustar, pax)."""
    members: dict[str, File | None] = {}
    for path in files:
        folder = path
        while folder := posixpath.dirname(folder):
            members[folder] = None
    members.update(files)
    order = sorted(members, key=lambda path: path.encode().split(b"/"))
    return b"".join(_member(path, members[path]) for path in order) + END


def go_json(document: Any) -> bytes:
    """JSON as Go's encoder writes it: compact, UTF-8, with `<`, `>`, `&` and the line separators escaped."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def _entries(kitfile: Kitfile) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The Kitfile's entries that become layers, with the base of their media type, in kit's order."""
    model = kitfile.get("model")
    if model:
        if model.get("path") and not _is_reference(model["path"]):
            yield "model", model
        yield from (("modelpart", part) for part in model.get("parts", ()))
    for key, base in (("code", "code"), ("datasets", "dataset"), ("docs", "docs")):
        yield from ((base, entry) for entry in kitfile.get(key, ()))


def _is_reference(path: str) -> bool:
    """Whether a model's path names another ModelKit rather than a file."""
    return (":" in path or "@" in path) and parse_reference(path).target is not None


def _layer_files(tree: Tree, path: str, paths: Iterable[str]) -> dict[str, File]:
    """The files of one layer: those at or below its path, less what kit takes to belong to another layer.

    kit compares paths as strings, without a separator, and so does this.
    """
    own = posixpath.normpath(path)
    others = [other for other in map(posixpath.normpath, paths) if not own.startswith(other)]
    return {
        name: file
        for name, file in tree.items()
        if (own == "." or name == own or name.startswith(own + "/"))
        and not any(name.startswith(other) for other in others)
        and name not in ("Kitfile", "kitfile", ".kitfile", ".kitignore")
    }


def _config(value: Any, packed: Mapping[int, Mapping[str, Any]]) -> Any:
    """The Kitfile as kit's config has it: digest and diffId at the end of each packed entry, parameters sorted."""
    if isinstance(value, Mapping):
        result = {key: _sorted(item) if key == "parameters" else _config(item, packed) for key, item in value.items()}
        return {**result, **packed.get(id(value), {})}
    return [_config(item, packed) for item in value] if isinstance(value, list) else value


def _sorted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _member(path: str, file: File | None) -> bytes:
    """Header and content of a file, or of a folder (None): a pax record before it where ustar can't hold the name."""
    name, before = _ustar_name(path), b""
    if name is None:
        record = _pax_record(path)
        folder, base = posixpath.split(path)
        pax_name = posixpath.join(folder, "PaxHeaders.0", base).encode("ascii", "ignore")[:100].rstrip(b"/")
        before = _header(b"", pax_name, 0, 0, len(record), b"x") + _padded(record)
        name = b"", path.encode("ascii", "ignore")[:100].rstrip(b"/")
    if file is None:
        return before + _header(*name, 0o755, OWNER, 0, b"5")
    return before + _header(*name, file.mode, OWNER, len(file.content), b"0") + _padded(file.content)


def _ustar_name(path: str) -> tuple[bytes, bytes] | None:
    """Prefix and name (155 and 100 bytes), split as Go splits them; None where they can't hold the path."""
    if not path.isascii():
        return None
    encoded = path.encode()
    if len(encoded) <= 100:
        return b"", encoded
    cut = encoded.rfind(b"/", 0, 156)
    if cut <= 0 or not 1 <= len(encoded) - cut - 1 <= 100:
        return None
    return encoded[:cut], encoded[cut + 1 :]


def _pax_record(path: str) -> bytes:
    """A pax record of a path: its own length, digits included, comes first."""
    body = b" path=" + path.encode() + b"\n"
    length = len(body)
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _header(prefix: bytes, name: bytes, mode: int, owner: int, size: int, kind: bytes) -> bytes:
    """A 512-byte header; a pax one leaves the device numbers zeroed, as Go does."""
    header = bytearray(BLOCK)

    def put(offset: int, field: bytes) -> None:
        header[offset : offset + len(field)] = field

    device = bytes(8) if kind == b"x" else _octal(0, 8)
    put(0, name)
    put(100, _octal(mode, 8) + _octal(owner, 8) + _octal(0, 8) + _octal(size, 12) + _octal(0, 12))
    put(148, b" " * 8 + kind)
    put(257, b"ustar\x0000")
    put(329, device + device + prefix)
    put(148, b"%06o\0 " % sum(header))
    return bytes(header)


def _octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % BLOCK)
