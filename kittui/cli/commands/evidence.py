"""`kittui evidence`: the evidence about a ModelKit in one folder, for an auditor."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from kittui.cli import run
from kittui.cli.inspecting import agreed
from kittui.cli.moving import parse_tag
from kittui.cli.run import Call
from kittui.cli.signing import key_option
from kittui.disk.paths import typed_path
from kittui.errors import NotFound
from kittui.modelkit.variants import needs_choice
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.terminal import counted
from kittui.usecases.browse.places import DEFAULT_TAG
from kittui.usecases.trust.dossier import SUMS, gather, write
from kittui.usecases.trust.history import merged_history
from kittui.usecases.trust.names import plain_name


@run.command("evidence", changes=True)
@click.argument("reference")
@click.option("-d", "--directory", metavar="DIR", help="The folder to create (./evidence-DIGEST).")
@click.option("--against", metavar="TAG", help="Compare it with this tag (rollback).")
@key_option
async def command(
    call: Call, reference: str, directory: str | None, against: str | None, signing_key: str | None
) -> None:
    """Write one folder for an auditor: manifest, Kitfile, BOM, statements, signatures, records, a comparison.

    SHA256SUMS has the hashes of all files. With a key (--key, or signing_key in config.yaml) SHA256SUMS.sig signs it;
    check that with openssl or cosign verify-blob. Layers are read only as far as the comparison needs them.
    """
    composition = call.composition
    located = await composition.places.locate(reference)
    repository, target = located.repository, located.target or DEFAULT_TAG
    kit = await composition.modelkits.open(repository, target)
    if kit.manifest.is_index:
        raise needs_choice(kit.manifest, str(located))
    keyring = (await asyncio.to_thread(lambda: composition.keyring)).for_repository(plain_name(repository))
    call.printer.status(f"collecting evidence about {located}")
    history = await merged_history(repository, composition.ledger, keyring, sorted(composition.stage_tags))
    more = await _comparison(call, repository, against, kit.digest)
    files = await gather(repository, kit, keyring, history, more)
    folder = typed_path(directory) if directory else Path(f"evidence-{kit.digest.short}")
    call.preview(
        [f"Write {folder}", *(f"  {name}" for name in sorted({*files, SUMS}))],
        {"action": "evidence", "digest": str(kit.digest), "directory": str(folder), "files": sorted({*files, SUMS})},
    )
    signer = await composition.signer(Path(signing_key) if signing_key else None)
    await write(folder, files, signer)
    names = sorted({*files, SUMS, *((f"{SUMS}.sig",) if signer is not None else ())})
    document = {"reference": str(located), "digest": kit.digest, "directory": str(folder), "files": names}

    def show() -> None:
        call.printer.line((str(folder), "bold"), f"  {counted(len(names), 'file')} about {kit.digest}")
        for note in history.notes:
            call.printer.warning(note)
        if signer is None:
            call.printer.note(f"{SUMS} is not signed: give --key, or set signing_key in config.yaml")

    call.printer.result(document, show)


async def _comparison(call: Call, repository: Repository, against: str | None, digest: Digest) -> dict[str, bytes]:
    """The report of differences from another tag; empty if there is no such tag, or it is the same ModelKit."""
    from kittui.compare.html import to_html
    from kittui.compare.markdown import to_markdown
    from kittui.usecases.diff.compare import Depth, Side

    tag = parse_tag(against) or call.composition.config.moves.rollback
    try:
        other = (await repository.resolve(tag)).digest
    except NotFound:
        if against is not None:
            raise
        return {}
    if other == digest:
        return {}
    sides = [Side(repository, other), Side(repository, digest)]
    case = await call.composition.differ(sides, call.composition.inspector(agreed(call)))
    call.printer.status(f"comparing it with {tag}")
    comparison = await case.compare(sides[0], sides[1], Depth())
    return {"comparison.md": to_markdown(comparison).encode(), "comparison.html": to_html(comparison).encode()}
