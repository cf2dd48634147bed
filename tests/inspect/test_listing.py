"""Listings of every kind of layer equal kit's own tar listings, from disk and from a registry."""

from __future__ import annotations

import asyncio
import io
import re
import tarfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kittui.errors import Malformed, TooLarge
from kittui.formats.tar import FileEntry
from kittui.modelkit import ModelKit
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.protocols import Repository
from kittui.oci.reference import parse_reference, store_display
from kittui.oci.target import parse_target
from kittui.store import LocalSource
from kittui.usecases.inspect.inspector import Inspector
from tests.fakes.layers import LayerReader, LayersRepository, archive, layer_of

FIXTURES = Path(__file__).parent.parent / "fixtures"


async def modelkit_of(repository: Repository, target: str) -> ModelKit:
    manifest = await repository.manifest(parse_target(target))
    assert manifest.config is not None
    return ModelKit.parse(manifest, await repository.read_blob(manifest.config, CONFIG_LIMIT))


def golden() -> dict[str, list[tuple[str, list[str]]]]:
    listings: dict[str, list[tuple[str, list[str]]]] = {}
    for line in (FIXTURES / "golden/tar-listings.txt").read_text("utf-8").splitlines():
        if line.startswith("=== "):
            layers: list[tuple[str, list[str]]] = []
            listings[line.split()[1]] = layers
        elif line.startswith("--- "):
            layers.append((line.split()[2], []))
        elif line:
            layers[-1][1].append(line)
    return listings


def as_tar_prints(entry: FileEntry) -> tuple[str, int, str]:
    bits = "".join(letter if entry.mode & (256 >> n) else "-" for n, letter in enumerate("rwxrwxrwx"))
    return ("d" if entry.type == "dir" else "-") + bits, entry.size, entry.path


@pytest.mark.parametrize("reference", sorted(golden()))
async def test_listings_of_the_store_equal_the_golden_ones(reference: str) -> None:
    source = LocalSource(FIXTURES / "kithome")
    parsed = parse_reference(reference.removeprefix("localhost/"))
    repository = source.repository(store_display(parsed.store_name))
    modelkit = await modelkit_of(repository, parsed.target or "latest")
    inspector = Inspector()
    for layer, (digest, lines) in zip(modelkit.layers, golden()[reference], strict=True):
        assert layer.digest == digest
        listing = await inspector.listing(repository, layer)
        assert listing.complete
        assert listing.verified
        wanted = []
        for line in lines:
            match = re.match(r"(\S{10}) \S+ +(\d+) \S+ \S+ (.*)$", line)
            assert match
            wanted.append((match[1], int(match[2]), match[3]))
        assert [as_tar_prints(entry) for entry in listing.files] == wanted


@pytest.mark.parametrize("reference", sorted(golden()))
async def test_every_file_of_the_store_is_what_tarfile_takes_out_of_it(reference: str) -> None:
    parsed = parse_reference(reference.removeprefix("localhost/"))
    repository = LocalSource(FIXTURES / "kithome").repository(store_display(parsed.store_name))
    inspector = Inspector()
    kit = await modelkit_of(repository, parsed.target or "latest")
    for layer in kit.layers:
        listing = await inspector.listing(repository, layer)
        packed = await repository.read_blob(layer.descriptor, 1 << 24)
        with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
            for entry, member in zip(listing.files, tar, strict=True):
                if not member.isreg():
                    continue
                taken = tar.extractfile(member)
                assert taken is not None
                assert await inspector.read_file(repository, layer, entry, 1 << 24) == taken.read()


class StoppingRepository(LayersRepository):
    """Lets some ranges through, and then blocks for ever."""

    def __init__(self, content: bytes, let: int) -> None:
        super().__init__({str(Digest.of(content)): content})
        self.let = let
        self.blocked = asyncio.Event()
        self.offsets: list[int] = []

    @asynccontextmanager
    async def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[LayerReader]:
        if self.let == 0:
            self.blocked.set()
            await asyncio.Event().wait()
        self.let -= 1
        self.offsets.append(offset)
        async with super().open_blob(descriptor, offset, length) as reader:
            yield reader


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT])
async def test_a_cancelled_listing_goes_on_where_it_was(form: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for number in range(12):
            info = tarfile.TarInfo(f"m/{number}-{'u' * 80}")
            info.size = 600_000
            tar.addfile(info, io.BytesIO(bytes(600_000)))
    content = out.getvalue()
    layer = layer_of(content)
    for let in range(1, 9):
        repository: Any = StoppingRepository(content, let)
        inspector = Inspector()
        task = asyncio.create_task(inspector.listing(repository, layer))
        await repository.blocked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        first = list(repository.offsets)
        repository.let, repository.offsets = -1, []
        grown: list[int] = []

        def progress(entries: Sequence[object], _: object, __: object, grown: list[int] = grown) -> None:
            grown.append(len(entries))

        listing = await inspector.listing(repository, layer, on_progress=progress)
        assert listing.complete
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            assert [(e.path, e.offset) for e in listing.files] == [(m.name, m.offset_data) for m in tar]
        # What was found before is there at once, and nothing before it is read again.
        assert grown[0] == len(first)
        assert min(repository.offsets) > first[-1]
    whole: Any = StoppingRepository(content, -1)
    assert (await Inspector().listing(whole, layer)).files == listing.files


async def test_the_start_of_a_long_file_comes_out_of_the_pass_that_verifies_it() -> None:
    content = archive({"m/long": b"0123456789" * 50_000, "m/short": b"abc"})
    repository: Any = LayersRepository({str(Digest.of(content)): content})
    layer = layer_of(content)
    inspector = Inspector()
    entry = (await inspector.listing(repository, layer)).files[0]
    with pytest.raises(TooLarge):
        await inspector.verified_file(repository, layer, entry, 1000)
    listing, start = await inspector.verified_file(repository, layer, entry, 1000, start=True)
    assert listing.verified
    assert start == b"0123456789" * 100
    _, short = await inspector.verified_file(repository, layer, listing.files[1], 1000, start=True)
    assert short == b"abc"


class ForgedRanges(LayersRepository):
    """Serves other bytes by ranges than the blob's."""

    ranges = b""

    @asynccontextmanager
    async def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[LayerReader]:
        content = self.blobs[str(descriptor.digest)]
        whole = offset == 0 and length in (None, len(content))
        yield LayerReader(content if whole else self.ranges, offset, len(content) if length is None else length)


def repeated(*files: tuple[str, bytes]) -> bytes:
    """An archive that may hold a path more than once, too large to be read whole at once."""
    entries = (archive({name: body})[: 512 + (len(body) + 511 & -512)] for name, body in files)
    return b"".join(entries) + archive({"zz": bytes(100_000)})


TRAIN, EVIL = ("train.py", b"print('good')\n" * 60), ("evil.py", b"print('evil')\n" * 60)


@pytest.mark.parametrize(
    ("forged", "true"),
    [
        ([("a", b"a"), TRAIN], [("a", b"a"), EVIL]),  # another name over the same bytes
        ([TRAIN, EVIL], [TRAIN, TRAIN]),  # the entry that counts has another name
        ([("train.py", b"x" * 2048)], [("train.py", b"x" * 1024)]),  # another length
    ],
    ids=["renamed", "hidden", "longer"],
)
async def test_verified_bytes_are_those_of_the_verified_name(
    forged: list[tuple[str, bytes]], true: list[tuple[str, bytes]]
) -> None:
    content = repeated(*true)
    layer = layer_of(content)
    repository: Any = ForgedRanges({str(layer.digest): content})
    repository.ranges = repeated(*forged)
    inspector = Inspector()
    (entry,) = (one for one in (await inspector.listing(repository, layer)).files if one.path == "train.py")

    async def ignore(_: bytes) -> None: ...

    with pytest.raises(Malformed, match=r"^train\.py is not where the file list says$"):
        await inspector.stream_verified(repository, layer, entry, ignore)
    listing = await inspector.listing(repository, layer)
    assert listing.verified
    assert [one.path for one in listing.files] == [*(name for name, _ in true), "zz"]
    with pytest.raises(Malformed, match=r"^train\.py is not where the file list says$"):
        await inspector.verified_file(repository, layer, entry, 5000, start=True)


async def test_an_entry_that_is_said_to_be_replaced_can_be_read() -> None:
    content = repeated(("train.py", b"old"), ("train.py", b"new"))
    layer = layer_of(content)
    repository: Any = ForgedRanges({str(layer.digest): content})
    repository.ranges = content
    inspector = Inspector()
    old, new, _ = (await inspector.listing(repository, layer)).files
    assert (await inspector.verified_file(repository, layer, old, 100))[1] == b"old"
    assert (await inspector.verified_file(repository, layer, new, 100))[1] == b"new"
