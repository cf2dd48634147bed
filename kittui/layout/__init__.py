"""OCI image layouts: folders and air-gapped disks, as skopeo, oras and regctl read and write them."""

from kittui.layout.repository import LayoutRepository
from kittui.layout.source import LayoutSource, is_layout

__all__ = ["LayoutRepository", "LayoutSource", "is_layout"]
