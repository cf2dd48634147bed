"""How statements name a repository."""

from __future__ import annotations

from kittui.oci.protocols import Repository


def plain_name(repository: Repository) -> str:
    """HOST/REPO; a place that isn't a registry by its name alone."""
    host = repository.source.place.host
    return f"{host}/{repository.name}" if host else repository.name
