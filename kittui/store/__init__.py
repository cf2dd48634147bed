"""kit's own disk format: the local store that kit and kittui use side by side."""

from kittui.store.repository import LocalRepository
from kittui.store.root import store_root
from kittui.store.source import LocalSource

__all__ = ["LocalRepository", "LocalSource", "store_root"]
