"""How statements name a repository."""

from __future__ import annotations

from kittui.oci.protocols import Repository


def plain_name(repository: Repository) -> str:
    """HOST/REPO, however the host was written; for a place that isn't a registry, only its name."""
    host = repository.source.place.host.lower().removesuffix(":443").removesuffix(".")
    return f"{host}/{repository.name}" if host else repository.name
