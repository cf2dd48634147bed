"""Unpacking into a target: nothing of a refused layer is ever visible."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from kittui import budget
from kittui.crashpoints import crashing
from kittui.errors import Conflict, DigestMismatch, Malformed, TooLarge, UnsafePath
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.transfer import paths
from kittui.transfer.extract import Limits
from kittui.transfer.paths import RESERVED, safe_parts
from kittui.transfer.placing import Decisions
from kittui.transfer.scratch import Scratch
from kittui.transfer.staging import Plain, Staging
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
        answers: Decisions | None = None,
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
            return await staging.commit(answers or Decisions())

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
    assert not (unpack.target / RESERVED).exists()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_compressed_layers(unpack: Unpacker, compression: str) -> None:
    squeeze = gzip.compress if compression == "gzip" else zstandard.ZstdCompressor().compress
    half = len(GOOD) // 2
    for content in (squeeze(GOOD), squeeze(GOOD[:half]) + squeeze(GOOD[half:])):
        await unpack(content, compression=compression, answers=Decisions("overwrite"), diff_id=Digest.of(GOOD))
        assert unpack.tree()["model/a.txt"] == b"alpha"
    with pytest.raises((Malformed, DigestMismatch)):
        await unpack(
            squeeze(GOOD)[:-20], compression=compression, answers=Decisions("overwrite"), diff_id=Digest.of(GOOD)
        )
    with pytest.raises(DigestMismatch):
        await unpack(
            squeeze(GOOD), compression=compression, answers=Decisions("overwrite"), diff_id=Digest.of(b"other")
        )


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
        await unpack(GOOD, answers=Decisions(decision))  # type: ignore[arg-type]
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
    placed = await unpack(GOOD, answers=Decisions("keep"))
    assert [one.outcome for one in placed] == ["written", "kept"]
    assert unpack.tree() == {"model/run.sh": b"mine", "model/a.txt": b"alpha"}
    await unpack(GOOD, answers=Decisions("overwrite"))
    assert unpack.tree()["model/run.sh"] == b"#!"
    assert stat.S_IMODE((unpack.target / "model/run.sh").stat().st_mode) == 0o600
    (unpack.target / "model/run.sh").write_bytes(b"mine")
    placed = await unpack(GOOD, answers=Decisions("keep", {"model/run.sh": "both"}))
    assert unpack.tree()["model/run (2).sh"] == b"#!"


async def test_one_path_from_two_layers_is_a_conflict(unpack: Unpacker) -> None:
    with pytest.raises(Conflict):
        await unpack(GOOD, GOOD)
    assert not unpack.target.exists()
    await unpack(GOOD, tar(("model/a.txt", b"later", {})), answers=Decisions("overwrite"))
    assert unpack.tree()["model/a.txt"] == b"later"


async def test_the_kitfile_is_only_replaced_when_told_to(unpack: Unpacker) -> None:
    unpack.target.mkdir()
    (unpack.target / "Kitfile").write_bytes(b"mine")
    for answers in (Decisions(), Decisions("keep")):
        with pytest.raises(Conflict, match="Kitfile"):
            await unpack(GOOD, kitfile=b"new", answers=answers)
    assert unpack.tree() == {"Kitfile": b"mine"}
    await unpack(GOOD, kitfile=b"mine")
    await unpack(GOOD, kitfile=b"new", answers=Decisions("overwrite"))
    assert unpack.tree()["Kitfile"] == b"new"


async def test_a_folder_where_a_file_should_go_is_refused(unpack: Unpacker) -> None:
    (unpack.target / "model/a.txt").mkdir(parents=True)
    with pytest.raises(Conflict, match="regular file"):
        await unpack(GOOD, answers=Decisions("overwrite"))
    (unpack.target / "model/a.txt").rmdir()
    (unpack.target / "model").rmdir()
    (unpack.target / "model").write_bytes(b"")
    with pytest.raises(UnsafePath):
        await unpack(GOOD, answers=Decisions("overwrite"))


MOVING = [
    *(f"unpack.moving.{end}" for end in ("before-fsync", "before-rename", "after-rename", "after-fsync")),
    *("unpack.before-move", "unpack.before-rename", "unpack.after-rename", "unpack.before-kitfile"),
    *("unpack.moved.before-unlink", "unpack.moved.after-unlink"),
]
KIT = tar(
    ("model", None, {}), ("model/a.txt", b"alpha", {}), ("model/run.sh", b"#!", {"mode": 0o755}),
    ("ro", None, {"mode": 0o555}), ("ro/x", b"x", {}), ("zero", b"", {}),
)  # fmt: skip


class Killed(BaseException):
    """As if the process had died: nothing that cleans up in its place is reached."""


@contextmanager
def killed_at(point: str, turn: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Die when a point is reached for the turn-th time; clean-up that a dead process would not do is not done."""
    left = [turn]

    def die() -> None:
        left[0] -= 1
        if not left[0]:
            for name in ("give_up", "drop_trees", "finish"):
                monkeypatch.setattr(Scratch, name, lambda self: None)
            raise Killed

    with crashing(point, die), pytest.raises(Killed):
        yield
    monkeypatch.undo()


@pytest.mark.parametrize("point", MOVING)
async def test_a_run_that_was_killed_while_it_moved_files_is_finished_by_the_same_command(
    unpack: Unpacker, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = 4 if "rename" in point and point.count(".") == 1 else 1
    for turn in range(1, turns + 1):
        unpack.target = unpack.folder / f"target-{turn}"
        with killed_at(point, turn, monkeypatch):
            await unpack(KIT, kitfile=b"k")
        assert (unpack.target / RESERVED).exists()
        placed = await unpack(KIT, kitfile=b"k")
        assert {one.path for one in placed} == {"model/a.txt", "model/run.sh", "ro/x", "zero", "Kitfile"}
        assert unpack.tree() == {
            "Kitfile": b"k",
            "model/a.txt": b"alpha",
            "model/run.sh": b"#!",
            "ro/x": b"x",
            "zero": b"",
        }
        assert stat.S_IMODE((unpack.target / "ro").stat().st_mode) == 0o555
        assert not (unpack.target / RESERVED).exists()
        (unpack.target / "ro").chmod(0o755)


@pytest.mark.parametrize("answer", ["overwrite", "keep", "both"])
async def test_a_run_with_an_answer_that_was_killed_is_finished_too(
    unpack: Unpacker, answer: Literal["overwrite", "keep", "both"], monkeypatch: pytest.MonkeyPatch
) -> None:
    for turn in (1, 2, 3):
        unpack.target = unpack.folder / f"target-{turn}"
        (unpack.target / "model").mkdir(parents=True)
        (unpack.target / "model/a.txt").write_bytes(b"mine")
        with killed_at("unpack.after-rename", turn, monkeypatch):
            await unpack(KIT, answers=Decisions(answer))
        await unpack(KIT, answers=Decisions(answer))
        expected = {"model/a.txt": b"mine", "model/run.sh": b"#!", "ro/x": b"x", "zero": b""}
        if answer == "overwrite":
            expected["model/a.txt"] = b"alpha"
        if answer == "both":
            expected["model/a (2).txt"] = b"alpha"
        assert unpack.tree() == expected
        (unpack.target / "ro").chmod(0o755)


async def test_the_mark_of_a_folder_that_is_not_whole_outlives_runs_that_are_refused(
    unpack: Unpacker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with killed_at("unpack.after-rename", 1, monkeypatch):
        await unpack(KIT)
    (unpack.target / "model/a.txt").write_bytes(b"mine since")
    for _ in range(2):
        with pytest.raises(Conflict, match=r"a\.txt") as caught:
            await unpack(KIT)
        assert "interrupted" in (caught.value.hint or "")
        assert {path.name for path in unpack.target.iterdir()} == {RESERVED, "model"}
        assert [path.name for path in (unpack.target / RESERVED).iterdir()] == ["moving"]
    with pytest.raises(Malformed):
        await unpack(KIT[:1026])
    assert (unpack.target / RESERVED).exists()
    await unpack(KIT, answers=Decisions("keep"))
    assert unpack.tree()["model/a.txt"] == b"mine since"
    assert not (unpack.target / RESERVED).exists()
    (unpack.target / "ro").chmod(0o755)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"0:model/a.txt": 5}', b'{"0:model/a.txt": "../../../x"}'])
async def test_the_mark_is_not_believed_where_it_leads_elsewhere(unpack: Unpacker, content: bytes) -> None:
    (unpack.target / RESERVED).mkdir(parents=True)
    (unpack.target / RESERVED / "moving").write_bytes(content)
    (unpack.target / "model").mkdir()
    (unpack.target / "model/a.txt").write_bytes(b"mine")
    await unpack(GOOD, answers=Decisions("both"))
    assert sorted(path.name for path in unpack.folder.iterdir()) == ["blob-0", "target"]
    assert unpack.tree()["model/a.txt"] == b"mine"


async def test_what_is_there_with_the_same_bytes_is_only_no_conflict_after_a_run_that_was_cut_short(
    unpack: Unpacker,
) -> None:
    (unpack.target / "model").mkdir(parents=True)
    (unpack.target / "model/a.txt").write_bytes(b"alpha")
    with pytest.raises(Conflict):
        await unpack(GOOD)
    (unpack.target / RESERVED).mkdir()
    placed = await unpack(GOOD)
    assert [(one.path, one.outcome) for one in placed] == [("model/a.txt", "kept"), ("model/run.sh", "written")]


def deep(depth: int) -> bytes:
    return tar(("fine.txt", b"fine", {}), ("/".join(["d"] * depth) + "/x", b"x", {}))


@pytest.mark.parametrize("depth", [300, 1000, 2000, 400_000])
async def test_a_path_that_no_disk_holds_is_refused_and_stops_no_later_run(unpack: Unpacker, depth: int) -> None:
    with pytest.raises(UnsafePath):
        await unpack(deep(depth))
    assert not unpack.target.exists()
    await unpack(deep(200))
    await unpack(deep(200), answers=Decisions("overwrite"))
    assert len(unpack.tree()) == 2


async def test_many_long_chains_of_folders_are_bounded(unpack: Unpacker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paths, "MOST", 1000)
    with pytest.raises(TooLarge):
        await unpack(tar(*(("/".join([str(number)] * 200), b"", {}) for number in range(6))))
    await unpack(tar(*(("/".join(["same"] * 200) + f"/{number}", b"", {}) for number in range(6))))


async def test_what_an_earlier_version_left_in_the_way_is_removed(unpack: Unpacker) -> None:
    scratch = unpack.target / RESERVED
    (scratch / "tree-0").mkdir(parents=True)
    folder = os.open(scratch / "tree-0", os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=folder)
        below = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.symlink("/etc", "link", dir_fd=folder)
    os.mkdir("closed", 0o000, dir_fd=folder)
    os.close(folder)
    await unpack(GOOD)
    assert sorted(unpack.tree()) == ["model/a.txt", "model/run.sh"]
    assert not scratch.exists()


@pytest.mark.parametrize(
    "name", [".kittui-unpack/lock", ".kittui-unpack", "./.Kittui-Unpack/x", ".kittui-unpack/tree-0/x"]
)
async def test_a_layer_cannot_write_into_the_folder_it_is_unpacked_through(unpack: Unpacker, name: str) -> None:
    with pytest.raises(UnsafePath, match="kittui unpacks through"):
        await unpack(tar(("fine.txt", b"fine", {}), (name, b"x", {})))
    assert not unpack.target.exists()
    await unpack(tar(("below/.kittui-unpack/lock", b"x", {})))
    assert list(unpack.tree()) == ["below/.kittui-unpack/lock"]


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
