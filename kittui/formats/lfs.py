"""Reads Git LFS pointers: small texts in place of a file that was never fetched (the git-lfs specification)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kittui.errors import Malformed
from kittui.terminal import size_text

POINTER_LIMIT = 1024
"""A file of this many bytes or more is not a pointer."""
SMALLEST = 100
"""Minimum bytes of a pointer."""
_VERSION = re.compile(r"version https?://(?:git-lfs\.github\.com/spec/|hawser\.github\.com/spec/)v1\r?\n")
_LINE = re.compile(r"(version|oid|size|ext-\d-[\w.-]+) (.+)\Z")


@dataclass(frozen=True, slots=True)
class Pointer:
    """The content that a pointer stands for: its sha256 and its size in bytes."""

    oid: str
    size: int

    @property
    def words(self) -> str:
        """A short description for people."""
        return f"Git LFS pointer to {size_text(self.size)}"


class PointerInstead(Malformed):
    """A file turned out to be a Git LFS pointer."""

    def __init__(self, path: str, pointer: Pointer) -> None:
        super().__init__(
            f"{path} is a {pointer.words}, not the file itself",
            hint="Fetch the file with git lfs pull before packing.",
        )
        self.pointer = pointer


def read_pointer(content: bytes) -> Pointer | None:
    """Parse a file's content as a pointer; None if it is not one."""
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
