"""Unpacking into a target: registries.md 28 to 31, and that nothing of a refused layer is ever visible."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from kittui import budget
from kittui.crashpoints import crashing
from kittui.errors import Conflict, DigestMismatch, Malformed, TooLarge, UnsafePath
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.transfer.extract import Limits
from kittui.transfer.paths import safe_parts
from kittui.transfer.staging import SCRATCH, Answers, Plain, Staging
from kittui.transfer.tree import Placed

Member = tuple[str, bytes | None, dict[str, object]]


def tar(*members: Member) -> bytes:
    """(name, content or None for a folder, TarInfo attributes)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content, attributes in members:
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.mode = 0o755 if content is None else 0o644
            info.size = len(content or b"")
            for key, value in attributes.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content or b"") if info.isreg() else None)
    return stream.getvalue()


GOOD = tar(("model", None, {}), ("model/a.txt", b"alpha", {}), ("model/run.sh", b"#!", {"mode": 0o755}))


class Unpacker:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.target = folder / "target"

    async def __call__(
        self,
        *layers: bytes,
        compression: str = "none",
        answers: Answers | None = None,
        limits: Limits | None = None,
        kitfile: bytes | None = None,
        diff_id: Digest | None = None,
        digest: Digest | None = None,
    ) -> Sequence[Placed]:
        async with Staging.open(self.target, limits) as staging:
            staging.kitfile = kitfile
            for number, content in enumerate(layers):
                blob = self.folder / f"blob-{number}"
                blob.write_bytes(content)
                descriptor = Descriptor("x/y", digest or Digest.of(content), len(content))
                await staging.add(blob, Plain(descriptor, compression, diff_id=diff_id))
            return await staging.commit(answers or Answers())

    def tree(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.target)): path.read_bytes() for path in self.target.rglob("*") if path.is_file()
        }


@pytest.fixture
def unpack(tmp_path: Path) -> Unpacker:
    return Unpacker(tmp_path)


async def test_files_folders_and_modes_as_packed(unpack: Unpacker) -> None:
    old = os.umask(0o022)
    try:
        placed = await unpack(GOOD, tar(("empty", None, {}), ("data.csv", b"", {"mode": 0o600})), kitfile=b"k: v\n")
    finally:
        os.umask(old)
    assert [(one.path, one.size, one.outcome) for one in placed] == [
        ("model/a.txt", 5, "written"),
        ("model/run.sh", 2, "written"),
        ("data.csv", 0, "written"),
        ("Kitfile", 5, "written"),
    ]
    assert stat.S_IMODE((unpack.target / "model/run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((unpack.target / "data.csv").stat().st_mode) == 0o600
    assert (unpack.target / "empty").is_dir()
    assert not (unpack.target / SCRATCH).exists()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_compressed_layers(unpack: Unpacker, compression: str) -> None:
    squeeze = gzip.compress if compression == "gzip" else zstandard.ZstdCompressor().compress
    half = len(GOOD) // 2
    for content in (squeeze(GOOD), squeeze(GOOD[:half]) + squeeze(GOOD[half:])):
        await unpack(content, compression=compression, answers=Answers("overwrite"), diff_id=Digest.of(GOOD))
        assert unpack.tree()["model/a.txt"] == b"alpha"
    with pytest.raises((Malformed, DigestMismatch)):
        await unpack(
            squeeze(GOOD)[:-20], compression=compression, answers=Answers("overwrite"), diff_id=Digest.of(GOOD)
        )
    with pytest.raises(DigestMismatch):
        await unpack(squeeze(GOOD), compression=compression, answers=Answers("overwrite"), diff_id=Digest.of(b"other"))


async def test_a_wrong_digest_is_found_before_anything_is_visible(unpack: Unpacker) -> None:
    with pytest.raises(DigestMismatch):
        await unpack(GOOD, digest=Digest.of(b"other"))
    assert not unpack.target.exists()


HOSTILE: dict[str, tuple[Member, ...]] = {
    "dotdot": (("../escaped", b"x", {}),),
    "dotdot inside": (("a/../../escaped", b"x", {}),),
    "absolute": (("/tmp/escaped", b"x", {}),),
    "backslash": (("a\\..\\escaped", b"x", {}),),
    "drive": (("C:/escaped", b"x", {}),),
    "symlink": (("link", b"", {"type": tarfile.SYMTYPE, "linkname": "/etc"}),),
    "hard link": (("link", b"", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}),),
    "fifo": (("pipe", b"", {"type": tarfile.FIFOTYPE}),),
    "device": (("dev", b"", {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 3}),),
    "twice": (("a", b"1", {}), ("./a", b"2", {})),
    "below a file": (("a", b"1", {}), ("a/b", b"2", {})),
    "a file over a folder": (("a/b", b"2", {}), ("a", b"1", {})),
    # The shape of CVE-2025-4517: links that lead out step by step, then a write through them.
    "cve-2025-4517": (
        ("d" * 200, None, {}),
        ("a", b"", {"type": tarfile.SYMTYPE, "linkname": "d" * 200}),
        ("escape", b"", {"type": tarfile.SYMTYPE, "linkname": "a/" + "../" * 8 + "tmp"}),
        ("escape/pwned", b"x", {}),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_check_28_hostile_archives_are_refused_and_nothing_is_written(unpack: Unpacker, name: str) -> None:
    with pytest.raises(UnsafePath):
        await unpack(tar(("fine.txt", b"fine", {})), tar(("before", b"x", {}), *HOSTILE[name]))
    assert not unpack.target.exists()
    assert not (unpack.folder / "escaped").exists()


@pytest.mark.parametrize("link", ["file", "dangling", "folder"])
@pytest.mark.parametrize("decision", [None, "overwrite", "keep"])
async def test_check_29_links_in_the_target_are_never_followed(unpack: Unpacker, link: str, decision: str) -> None:
    outside = unpack.folder / "outside"
    outside.mkdir()
    (outside / "a.txt").write_bytes(b"mine")
    unpack.target.mkdir()
    if link == "folder":
        (unpack.target / "model").symlink_to(outside)
    else:
        (unpack.target / "model").mkdir()
        (unpack.target / "model/a.txt").symlink_to(outside / ("a.txt" if link == "file" else "new.txt"))
    with pytest.raises(UnsafePath, match="link"):
        await unpack(GOOD, answers=Answers(decision))  # type: ignore[arg-type]
    assert (outside / "a.txt").read_bytes() == b"mine"
    assert [path.name for path in outside.iterdir()] == ["a.txt"]


async def test_check_30_modes_are_cut_to_0755(unpack: Unpacker) -> None:
    layer = tar(("dir", None, {"mode": 0o7777}), ("dir/suid", b"x", {"mode": 0o6777}))
    await unpack(layer)
    assert stat.S_IMODE((unpack.target / "dir/suid").stat().st_mode) & ~0o755 == 0
    assert stat.S_IMODE((unpack.target / "dir").stat().st_mode) & ~0o755 == 0


async def test_folders_without_write_permission_still_get_their_files(unpack: Unpacker) -> None:
    await unpack(tar(("ro", None, {"mode": 0o555}), ("ro/x", b"x", {"mode": 0o444})))
    assert stat.S_IMODE((unpack.target / "ro").stat().st_mode) == 0o555
    assert stat.S_IMODE((unpack.target / "ro/x").stat().st_mode) == 0o444
    (unpack.target / "ro").chmod(0o755)


async def test_check_31_bombs_stop_and_clean_up(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(tar(("zeros", bytes(30_000_000), {})))
    with pytest.raises(TooLarge):
        await unpack(bomb, compression="gzip", limits=Limits(size=10_000_000))
    assert not unpack.target.exists()
    monkeypatch.setattr(budget, "EXPAND_FREELY", 1_000_000)
    with pytest.raises(TooLarge, match="200 times"):
        await unpack(bomb, compression="gzip")
    assert not unpack.target.exists()
    await unpack(bomb, compression="gzip", limits=Limits(ratio=5000))
    with pytest.raises(TooLarge):
        await unpack(tar(("big", bytes(5_000_000), {})), limits=Limits(size=1_000_000))


async def test_conflicts_are_refused_before_anything_is_moved(unpack: Unpacker) -> None:
    (unpack.target / "model").mkdir(parents=True)
    (unpack.target / "model/run.sh").write_bytes(b"mine")
    (unpack.target / "model/run.sh").chmod(0o600)
    with pytest.raises(Conflict, match=r"run\.sh"):
        await unpack(GOOD)
    assert unpack.tree() == {"model/run.sh": b"mine"}
    placed = await unpack(GOOD, answers=Answers("keep"))
    assert [one.outcome for one in placed] == ["written", "kept"]
    assert unpack.tree() == {"model/run.sh": b"mine", "model/a.txt": b"alpha"}
    await unpack(GOOD, answers=Answers("overwrite"))
    assert unpack.tree()["model/run.sh"] == b"#!"
    assert stat.S_IMODE((unpack.target / "model/run.sh").stat().st_mode) == 0o600
    placed = await unpack(GOOD, answers=Answers("keep", {"model/run.sh": "both"}))
    assert unpack.tree()["model/run (2).sh"] == b"#!"


async def test_one_path_from_two_layers_is_a_conflict(unpack: Unpacker) -> None:
    with pytest.raises(Conflict):
        await unpack(GOOD, GOOD)
    assert not unpack.target.exists()
    await unpack(GOOD, tar(("model/a.txt", b"later", {})), answers=Answers("overwrite"))
    assert unpack.tree()["model/a.txt"] == b"later"


async def test_the_kitfile_is_only_replaced_when_told_to(unpack: Unpacker) -> None:
    unpack.target.mkdir()
    (unpack.target / "Kitfile").write_bytes(b"mine")
    for answers in (Answers(), Answers("keep")):
        with pytest.raises(Conflict, match="Kitfile"):
            await unpack(GOOD, kitfile=b"new", answers=answers)
    assert unpack.tree() == {"Kitfile": b"mine"}
    await unpack(GOOD, kitfile=b"mine")
    await unpack(GOOD, kitfile=b"new", answers=Answers("overwrite"))
    assert unpack.tree()["Kitfile"] == b"new"


async def test_a_folder_where_a_file_should_go_is_refused(unpack: Unpacker) -> None:
    (unpack.target / "model/a.txt").mkdir(parents=True)
    with pytest.raises(Conflict, match="plain file"):
        await unpack(GOOD, answers=Answers("overwrite"))
    (unpack.target / "model/a.txt").rmdir()
    (unpack.target / "model").rmdir()
    (unpack.target / "model").write_bytes(b"")
    with pytest.raises(UnsafePath):
        await unpack(GOOD, answers=Answers("overwrite"))


@pytest.mark.parametrize("point", ["unpack.before-move", "unpack.before-rename", "unpack.before-kitfile"])
async def test_a_crash_never_leaves_a_folder_that_looks_whole(unpack: Unpacker, point: str) -> None:
    class Killed(BaseException):
        pass

    def die() -> None:
        raise Killed

    with crashing(point, die), pytest.raises(Killed):
        await unpack(GOOD, kitfile=b"k")
    assert not (unpack.target / "Kitfile").exists()
    await unpack(GOOD, kitfile=b"k", answers=Answers("overwrite"))
    assert sorted(unpack.tree()) == ["Kitfile", "model/a.txt", "model/run.sh"]


async def test_a_truncated_archive_is_refused(unpack: Unpacker) -> None:
    with pytest.raises(Malformed):
        await unpack(GOOD[:1026])
    assert not unpack.target.exists()


async def test_names_are_kept_byte_for_byte(unpack: Unpacker) -> None:
    await unpack(tar(("tab\t and 'quote' é🙂", b"x", {}), ("nfd-e\u0301", b"1", {}), ("nfd-\u00e9", b"2", {})))
    assert len(unpack.tree()) == 3


@given(st.text(max_size=60))
def test_safe_parts_never_lead_out(path: str) -> None:
    try:
        parts = safe_parts(path)
    except UnsafePath:
        return
    assert all(part not in ("", ".", "..") and "/" not in part and "\0" not in part for part in parts)
