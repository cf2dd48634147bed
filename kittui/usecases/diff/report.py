"""Saves a report to a file."""

from __future__ import annotations

from kittui.disk.durable import storage_error
from kittui.disk.paths import typed_path
from kittui.disk.threads import in_thread
from kittui.errors import Conflict


async def save_report(path: str, text: str) -> str:
    """Write a new file and return its full path; raises Conflict if it exists, StorageError."""

    def write() -> str:
        target = typed_path(path).absolute()
        try:
            with target.open("x", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except FileExistsError:
            raise Conflict(f"{target} already exists", hint="Choose another name.") from None
        except OSError as error:
            raise storage_error(error, f"write {target}") from error
        return str(target)

    return await in_thread(write)
