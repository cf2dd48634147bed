"""Git LFS pointers in place of files, one path twice in a layer, and names that begin with `./`."""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Sequence
from typing import Any

import pytest

from kittui.budget import Budget
from kittui.compare.changes import FileSide
from kittui.compare.comparison import Comparison
from kittui.compare.files import assess
from kittui.errors import Malformed
from kittui.formats.lfs import read_pointer
from kittui.formats.loading import examine
from kittui.formats.model_file import header_budget, read_weights
from kittui.formats.need import run_bytes
from kittui.formats.tar import DISK, Pace, TarWalk, plain_path
from kittui.usecases.diff.access import Access
from kittui.usecases.diff.timeline import Subject, TimelineUseCase
from kittui.usecases.inspect.files import find_in_layers
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import opened, safetensors, two
from tests.compare.test_diff_versions import diff, found
from tests.demo.pack import File
from tests.fakes.layers import layer_of, repository_of

WEIGHTS = safetensors({"w": ("F32", [50_000], bytes(200_000))})
OTHER = safetensors({"w": ("F32", [50_000], b"\1" * 200_000)})


def pointer(content: bytes, size: int | None = None) -> bytes:
    oid = hashlib.sha256(content).hexdigest()
    size = len(content) if size is None else size
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


def tar(files: Sequence[tuple[str, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in files:
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def walked(content: bytes, pace: Pace | None = None) -> TarWalk:
    walk = TarWalk(len(content), pace)
    run_bytes(walk.steps(), content)
    return walk


@pytest.mark.parametrize("pace", [None, DISK, Pace(512, 512, 0), Pace(1024, 4096, 0)])
@pytest.mark.parametrize("before", range(5))
def test_pointers_are_noted_in_listings(pace: Pace | None, before: int) -> None:
    files = [(f"m/{number}", b"x" * 700) for number in range(before)]
    content = tar([*files, ("m/model.safetensors", pointer(WEIGHTS)), ("m/b", b"y" * 150), ("m/c", pointer(b"z"))])
    entries = walked(content, pace).entries
    assert [(entry.path, entry.note, bool(entry.oid)) for entry in entries[before:]] == [
        ("m/model.safetensors", "Git LFS pointer to 200 kB", True),
        ("m/b", "", False),
        ("m/c", "Git LFS pointer to 1 B", True),
    ]
    assert entries[before].oid == hashlib.sha256(WEIGHTS).hexdigest()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        pointer(b"x")[:-40],
        pointer(b"x") + b"not a field\n",
        pointer(b"x").replace(b"sha256:", b"sha512:"),
        pointer(b"x").replace(b"size 1", b"size -1"),
        pointer(b"x").replace(b"git-lfs.github.com", b"example.org"),
        pointer(b"x") + b"x" * 2000,
        b"version https://git-lfs.github.com/spec/v1\n",
        pointer(b"x") + b"\xff\n",
    ],
)
def test_what_is_no_pointer(content: bytes) -> None:
    assert read_pointer(content) is None


def test_a_pointer_in_place_of_a_model_says_so() -> None:
    raw = pointer(WEIGHTS)
    for path in ("model.safetensors", "m.gguf", "m.onnx", "m.pt", "pytorch_model.bin", "a.npy"):
        with pytest.raises(Malformed, match="is a Git LFS pointer to 200 kB, not the file itself"):
            run_bytes(read_weights(path, len(raw), header_budget()), raw)
    for path in ("m.pt", "m.pkl", "m.joblib"):
        looked = run_bytes(examine(path, len(raw), Budget("it")), raw)
        assert looked.unread == ["a Git LFS pointer to 200 kB, not the file itself"]


def row(comparison: Comparison, path: str) -> tuple[str, str]:
    (file,) = (file for file in comparison.files if file.path == path)
    return file.status, file.note


async def test_pointers_are_compared_by_what_they_stand_for() -> None:
    old = {
        "model/equal.safetensors": File(pointer(WEIGHTS)),
        "model/other.safetensors": File(pointer(WEIGHTS)),
        "model/fetched.safetensors": File(pointer(WEIGHTS)),
        "model/dropped.safetensors": File(OTHER),
        "src/x.py": File(b"1"),
        "data/a.csv": File(b"a\n"),
    }
    new = {
        **old,
        "model/equal.safetensors": File(pointer(WEIGHTS).replace(b"\n", b"\r\n")),
        "model/other.safetensors": File(pointer(OTHER, 300_000)),
        "model/fetched.safetensors": File(WEIGHTS),
        "model/dropped.safetensors": File(pointer(WEIGHTS)),
    }
    comparison = await diff(two(old, new))
    assert row(comparison, "model/equal.safetensors") == ("same", "Git LFS pointer to 200 kB")
    assert row(comparison, "model/other.safetensors") == (
        "changed",
        "Git LFS pointer to 200 kB → Git LFS pointer to 300 kB",
    )
    assert row(comparison, "model/fetched.safetensors")[0] == "changed"
    assert row(comparison, "model/fetched.safetensors")[1].startswith("Git LFS pointer to 200 kB → the file itself")
    assert row(comparison, "model/dropped.safetensors")[1].startswith("the file itself → Git LFS pointer to 200 kB")
    assert [tensor for tensor in comparison.tensors if tensor.status in ("added", "removed")] == []
    assert comparison.problems == ()


def test_a_file_that_was_fetched_is_the_content_that_was_stood_for() -> None:
    oid = hashlib.sha256(WEIGHTS).hexdigest()
    stands = FileSide("m", size=130, oid=oid, note="Git LFS pointer to 200 kB")
    assert assess(stands, FileSide("m", size=len(WEIGHTS), digest=oid)) == (
        "changed",
        "Git LFS pointer to 200 kB → the file itself, with the content it stands for",
    )
    assert assess(FileSide("m", size=5, digest="0" * 64), stands)[1].endswith("not with the content it stands for")


def test_equal_by_proof_is_the_same_and_changed_by_proof_is_changed() -> None:
    a, b = FileSide("m", size=5), FileSide("m", size=5)
    assert assess(a, b) == ("not_compared", "same size, content not read")
    assert assess(a, b, proved=True) == ("same", "")
    assert assess(a, b, proved=False) == ("changed", "")


TWICE = [("./src/a.py", b"first"), ("src/b.py", b"b"), ("src/a.py", b"second"), ("src//./c.py", b"c")]


def test_one_path_twice_is_marked_on_both_rows() -> None:
    entries = walked(tar(TWICE)).entries
    assert [(entry.path, entry.note) for entry in entries] == [
        ("src/a.py", "replaced by a later entry of this path"),
        ("src/b.py", ""),
        ("src/a.py", "the last of 2 entries of this path: the one that counts"),
        ("src/c.py", ""),
    ]


async def test_reading_and_comparing_agree_on_the_last() -> None:
    content = tar(TWICE)
    layer = layer_of(content)
    repository: Any = repository_of(content)
    inspector = Inspector()
    for path in ("src/a.py", "./src/a.py"):
        place = await find_in_layers(inspector, repository, [layer], path)
        assert await inspector.read_file(repository, place.layer, place.entry, 100) == b"second"
    access = Access(inspector, repository, layer)
    await access.list_files()
    assert (await access.read([access.files["src/a.py"]])) == {"src/a.py": b"second"}


@pytest.mark.parametrize(
    ("path", "plain"),
    [
        ("./a", "a"),
        ("././a/./b", "a/b"),
        ("a//b", "a/b"),
        ("a/.", "a"),
        (".", "."),
        ("./", "."),
        ("..", ".."),
        ("../a", "../a"),
        ("/a", "/a"),
        ("//a", "/a"),
        (".a/.b", ".a/.b"),
        ("a/../b", "a/../b"),
    ],
)
def test_parts_that_name_nothing_are_left_out(path: str, plain: str) -> None:
    assert plain_path(path) == plain


async def test_names_with_a_dot_before_them_are_the_same_files() -> None:
    old = {"model/m": File(b"m"), "src/a.py": File(b"x = 1\n"), "data/a.csv": File(b"a\n")}
    assert found(await diff(two(old, {**old, "src/a.py": File(b"x = 2\n")}))) == {"src/a.py": "changed"}
    dotted, bare = walked(tar([("./src/a.py", b"x")])), walked(tar([("src/a.py", b"x")]))
    assert [entry.path for entry in dotted.entries] == [entry.path for entry in bare.entries]


async def test_a_timeline_follows_what_a_pointer_stands_for() -> None:
    old = {"model/m.bin": File(pointer(WEIGHTS)), "src/a.py": File(b"1"), "data/a.csv": File(b"a\n")}
    repository = two(old, {**old, "model/m.bin": File(pointer(OTHER))})
    timeline = await TimelineUseCase(opened, Inspector()).follow(repository, Subject.parse("file:./model/m.bin"))
    assert [(moment.found, moment.changed, moment.value) for moment in timeline.moments] == [
        (True, False, f"Git LFS pointer to 200 kB, sha256 {hashlib.sha256(WEIGHTS).hexdigest()[:12]}"),
        (True, True, f"Git LFS pointer to 200 kB, sha256 {hashlib.sha256(OTHER).hexdigest()[:12]}"),
    ]
