"""Git LFS pointers: small texts in place of a file whose bytes were never fetched (the git-lfs specification)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kittui.errors import Malformed
from kittui.terminal import size_text

POINTER_LIMIT = 1024
"""Bytes from which on a file is not a pointer."""
SMALLEST = 100
"""Bytes of a pointer at least."""
_VERSION = re.compile(r"version https?://(?:git-lfs\.github\.com/spec/|hawser\.github\.com/spec/)v1\r?\n")
_LINE = re.compile(r"(version|oid|size|ext-\d-[\w.-]+) (.+)\Z")


@dataclass(frozen=True, slots=True)
class Pointer:
    """The content that a pointer stands for: its sha256 and its size in bytes."""

    oid: str
    size: int

    @property
    def words(self) -> str:
        """What it is, in a few words."""
        return f"Git LFS pointer to {size_text(self.size)}"


class PointerInstead(Malformed):
    """A Git LFS pointer lies where a file was expected."""

    def __init__(self, path: str, pointer: Pointer) -> None:
        super().__init__(
            f"{path} is a {pointer.words}, not the file itself",
            hint="Fetch the file with git lfs pull before packing.",
        )
        self.pointer = pointer


def read_pointer(content: bytes) -> Pointer | None:
    """The pointer that a file's content is; None for any other content."""
    if len(content) >= POINTER_LIMIT or not content.startswith(b"version http"):
        return None
    try:
        text = content.decode("ascii")
    except UnicodeDecodeError:
        return None
    if not _VERSION.match(text):
        return None
    fields: dict[str, str] = {}
    for line in text.splitlines():
        match = _LINE.match(line)
        if match is None:
            return None
        fields[match[1]] = match[2]
    kind, _, oid = fields.get("oid", "").partition(":")
    size = fields.get("size", "")
    if kind != "sha256" or not re.fullmatch("[0-9a-f]{64}", oid) or not re.fullmatch(r"\d{1,19}", size):
        return None
    return Pointer(oid, int(size))
