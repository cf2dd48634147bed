"""Wraps a function that reads ranges as a file object, for libraries that need one."""

from __future__ import annotations

import io
from collections.abc import Callable


class RangeFile(io.RawIOBase):
    """A readable, seekable file of `size` bytes; `read_at(offset, length)` returns its bytes, fewer only at the end.

    Errors of `read_at` reach the library's caller.
    """

    def __init__(self, size: int, read_at: Callable[[int, int], bytes]) -> None:
        self.size = size
        self._read_at = read_at
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = (0, self._at, self.size)[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        wanted = max(0, self.size - self._at if size < 0 else size)
        content = self._read_at(self._at, wanted)
        self._at += len(content)
        return content
