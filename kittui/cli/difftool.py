"""`kittui diff --tool`: both sides of one file in the user's difftool."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kittui.cli.inspecting import inspector_of
from kittui.cli.run import Call
from kittui.cli.variants import target_of
from kittui.disk.private import private_folder
from kittui.errors import NotFound
from kittui.modelkit import kitfile_yaml
from kittui.terminal import size_text
from kittui.usecases.browse.exact import exact_kitfile
from kittui.usecases.inspect.copies import LayerFile, Original, Passed, TextFile, copy_of
from kittui.usecases.inspect.files import find_in_layers
from kittui.usecases.inspect.programs import programs_of, run_program

Version = tuple[str, Sequence[str]]
"""A reference and labels."""


async def open_difftool(call: Call, a: Version, b: Version, path: str) -> int:
    """Open verified copies of a file of two versions; returns the difftool's exit status."""
    composition = call.composition
    programs = programs_of(composition.environ, composition.config.difftool)
    programs.compare(Path("/"), Path("/"))  # fails before anything is read if there is none
    originals = [await _original(call, *version, path) for version in (a, b)]

    def reporting(side: str) -> Passed:
        return lambda read, size: call.printer.status(f"verifying {side}: {size_text(read)} of {size_text(size)}")

    async with private_folder() as folder:
        copies = [
            await copy_of(original, folder.path / side, on_bytes=reporting(side))
            for original, side in zip(originals, ("old", "new"), strict=True)
        ]
        call.printer.clear()
        status = await run_program(programs.compare(copies[0].path, copies[1].path), held=folder.held)
    return status if status >= 0 else 128 - status


async def _original(call: Call, text: str, labels: Sequence[str], path: str) -> Original:
    located = await call.composition.places.locate(text)
    repository = located.repository
    target = await target_of(call, located, labels, one=True)
    kit = await call.composition.modelkits.open(repository, target)
    inspector = inspector_of(call)
    try:
        found = await find_in_layers(inspector, repository, kit.layers, path)
    except NotFound as error:
        if path == "Kitfile" and kit.kitfile:
            return TextFile("Kitfile.yaml", kitfile_yaml(exact_kitfile(kit), exact=True))
        raise error.at(repository.reference(target)) from None
    return LayerFile(inspector, repository, found.layer, found.entry)
