"""Risk: what is found is named, and what was not looked at is said."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import pickle
import struct
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import Any

import lz4.frame
import numpy
import pytest
import zstandard

import kittui.demo
from kittui.budget import Budget
from kittui.formats.loading import Examined, examine
from kittui.formats.need import run_bytes
from kittui.layout import LayoutSource
from kittui.oci.tag import Tag
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.inspect.files import list_layers
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.risk import RiskReport, assess, is_allowed
from tests.demo.pack import File, pack
from tests.fakes.layouts import packed_layout


class Runs:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


EVIL = pickle.dumps(Runs(), 4)
FINE = pickle.dumps({"a": [1, 2, 3]})


async def report_of(tmp_path: Path, files: dict[str, File], kitfile: dict[str, object]) -> RiskReport:
    packed = pack(kitfile, files, version="1.0")
    repository = LayoutSource(packed_layout(tmp_path, packed)).repository(".")
    kit = await ModelKits().open(repository, Tag("v1"))
    inspector = Inspector()
    return await assess(inspector, repository, kit, await list_layers(inspector, repository, kit.layers))


KITFILE: dict[str, object] = {"manifestVersion": "1.0.0", "package": {"name": "x"}, "model": {"name": "m", "path": "m"}}
LICENSED: dict[str, object] = {**KITFILE, "package": {"name": "x", "license": "MIT"}}


async def test_an_index_has_no_kitfile_to_name_a_license_in() -> None:
    repository = LayoutSource(Path(kittui.demo.__file__).parent / "layout").repository("acme/support-bot")
    kit = await ModelKits().open(repository, Tag("variants"))
    assert (await assess(Inspector(), repository, kit, ())).findings == ()


async def test_findings_name_the_file_and_the_reason(tmp_path: Path) -> None:
    files = {
        "m/evil.pkl": File(EVIL),
        "m/fine.pkl": File(FINE),
        "m/numbers.bin": File(b"\x01" * 500),
        "m/tool": File(b"\x7fELF" + bytes(60), 0o755),
        "m/hidden.bin": File(EVIL),
        "m/run.sh": File(b"echo\n"),
        "m/notes.txt": File(EVIL),
    }
    report = await report_of(tmp_path, files, KITFILE)
    found = {(finding.kind, finding.path) for finding in report.findings}
    assert found == {
        ("license", ""),
        ("pickle", "m/evil.pkl"),
        ("pickle", "m/hidden.bin"),
        ("executable", "m/tool"),
        ("script", "m/run.sh"),
    }
    assert any("system" in finding.text for finding in report.findings)
    assert "names of 7 files, 6 opened, 3 pickles followed" in report.looked
    assert [text.partition(":")[0] for text in report.skipped] == ["m/numbers.bin"]
    assert "1 not looked at" in report.badge
    assert "m/numbers.bin" not in report.followed
    assert "m/fine.pkl" in report.followed
    assert "safe" not in report.badge


async def test_a_badge_says_what_was_looked_at_where_nothing_was_found(tmp_path: Path) -> None:
    report = await report_of(tmp_path, {"m/a.txt": File(b"x")}, LICENSED)
    assert report.findings == ()
    assert "names of 1 file, 0 opened" in report.badge
    assert "safe" not in report.badge


def looked(name: str, content: bytes) -> Examined:
    return run_bytes(examine(name, len(content), Budget("it", output=None)), content)


def runs(found: Examined) -> bool:
    return any(one.name == "system" for one in found.imports)


def npy(value: object) -> bytes:
    out = io.BytesIO()
    numpy.save(out, numpy.array([value, 1], dtype=object), allow_pickle=True)
    return out.getvalue()


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, body in members:
            archive.writestr(zipfile.ZipInfo(name), body, method)
    return out.getvalue()


def with_flag(content: bytes, signature: bytes, place: int) -> bytes:
    at = content.index(signature) + place
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def tarred(name: str, body: bytes) -> bytes:
    import tarfile

    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(body)
        archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


LZMA_ALONE = lzma.compress(EVIL, lzma.FORMAT_ALONE)
WRAPPED = {
    "plain.pkl": EVIL,
    "no-ending": EVIL,
    "model.dill": EVIL,
    "model.sav": EVIL,
    "model.weird": EVIL,
    "text.pkl": b"Vposix\nVsystem\n\x93(Vtrue\ntR.",
    "behind.pkl": FINE + EVIL,
    "far-behind.pkl": FINE * 40 + EVIL,
    "zlib.joblib": zlib.compress(EVIL, 3),
    "gzip.joblib": gzip.compress(EVIL),
    "bz2.joblib": bz2.compress(EVIL),
    "two-bz2.joblib": bz2.compress(FINE) + bz2.compress(EVIL),
    "xz.joblib": lzma.compress(EVIL),
    "lzma.joblib": LZMA_ALONE,
    "lz4.joblib": lz4.frame.compress(EVIL),
    "zstd.pkl": zstandard.compress(EVIL),
    "model.pkl.gz": gzip.compress(EVIL),
    "archive.tar.gz": gzip.compress(tarred("a/b.pkl", EVIL)),
    "old-torch.pt": tarred("pickle", EVIL),
    "objects.npy": npy(Runs()),
    "objects.npz": zipped(("w.npy", npy(1)), ("x.npy", npy(Runs()))),
    "objects-deflated.npz": zipped(("x.npy", npy(Runs())), method=zipfile.ZIP_DEFLATED),
    "named-otherwise.npy": EVIL,
    "torch.pt": zipped(("a/data.pkl", EVIL), ("a/data/0", bytes(8))),
    "second-folder.pt": zipped(("a/data.pkl", FINE), ("b/data.pkl", EVIL)),
    "not-called-pickle.pt": zipped(("a/data.pkl", FINE), ("a/extra", EVIL)),
    "bzip2-member.zip": zipped(("data.pkl", EVIL), method=zipfile.ZIP_BZIP2),
    "lzma-member.zip": zipped(("data.pkl", EVIL), method=zipfile.ZIP_LZMA),
    "in-a-zip-in-a-zip.pt": zipped(("inner.pt", zipped(("a/data.pkl", EVIL)))),
    "gzipped-member.zip": zipped(("weights", gzip.compress(EVIL))),
    "cut.pkl": EVIL[:-1],
    "damaged.pkl": EVIL[:-1] + b"\xff",
}


@pytest.mark.parametrize("name", WRAPPED)
def test_a_pickle_is_found_whatever_it_is_wrapped_in(name: str) -> None:
    found = looked(name, WRAPPED[name])
    assert runs(found), found
    assert not found.unread


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("twice.pt", zipped(("a/data.pkl", FINE), ("a/data.pkl", EVIL)), "several members are called a/data.pkl"),
        ("marked.pt", with_flag(zipped(("a/data.pkl", EVIL)), b"PK\1\2", 8), "marked as encrypted"),
        ("half-marked.pt", with_flag(zipped(("a/data.pkl", EVIL)), b"PK\3\4", 6), "marked as encrypted"),
        ("named.pt", with_flag(zipped(("b/data.pkl", EVIL)), b"PK\3\4", 30), "another name in its own header"),
        ("sum.pt", with_flag(zipped(("a/data.pkl", EVIL)), b"PK\1\2", 19), "checksum is wrong"),
    ],
    ids=["twice", "marked", "half-marked", "named", "sum"],
)
def test_what_is_odd_about_an_archive_is_a_finding_and_followed_all_the_same(
    name: str, content: bytes, reason: str
) -> None:
    found = looked(name, content)
    assert runs(found)
    assert any(reason in fault for fault in found.faults)


def odd_method(content: bytes) -> bytes:
    """A zip archive whose members say that they are compressed by a method that nobody reads."""
    for signature, place in ((b"PK\1\2", 10), (b"PK\3\4", 8)):
        at = content.index(signature) + place
        content = content[:at] + struct.pack("<H", 97) + content[at + 2 :]
    return content


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.bin", b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(range(200)), "7z archive"),
        ("a.pt", b"PK\3\4" + bytes(200), "no directory"),
        ("a.npz", odd_method(zipped(("x.npy", npy(1)))), "a method that is not read (97)"),
        ("a.pkl", b"\x01" * 100, "starts like nothing that is known"),
        ("a.pkl", b"", "empty"),
        ("a.npy", b"\x93NUMPY\x01\x00\x05\x00{---}", "damaged header"),
        ("a.joblib", zlib.compress(EVIL)[:20], "ends early"),
        ("a.pkl", FINE + b"\x01\x02\x03 not one more", "what follows its first 1 pickles"),
        ("a.h5.pkl", b"\x89HDF\r\n\x1a\n" + bytes(90), "HDF5"),
    ],
    ids=["7z", "no-directory", "method", "noise", "empty", "array", "cut", "behind", "hdf5"],
)
def test_what_could_not_be_looked_at_is_said(name: str, content: bytes, reason: str) -> None:
    found = looked(name, content)
    assert any(reason in text for text in found.unread), found
    assert not found.imports


def test_a_bomb_is_not_looked_at_and_says_so() -> None:
    content = zlib.compress(bytes(1 << 20))
    budget = Budget("it", output=1 << 18)
    found = run_bytes(examine("a.joblib", len(content), budget), content)
    assert found.unread
    content = zlib.compress(b"\x80\x04" + b"N0" * 200_000 + b".")
    found = run_bytes(examine("a.joblib", len(content), Budget("it", output=1 << 18)), content)
    assert any("too large to show" in text for text in found.unread + found.faults)


@pytest.mark.parametrize(
    "content", [b"some words\nand others\n", b"(a list of things)\n", b"c\n", bytes(500), b"\x80\x04" + bytes(100)]
)
def test_files_that_are_not_called_pickles_are_not_made_ones(content: bytes) -> None:
    found = looked("CHANGES", content)
    assert not found.imports
    assert not found.unread
    assert not found.faults


def test_what_joblib_writes_of_numbers_is_followed_past_them(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib")
    out = io.BytesIO()
    joblib.dump({"a": numpy.arange(5000.0), "z": Runs()}, out)
    found = looked("a.joblib", out.getvalue())
    assert runs(found)
    assert (found.pickles, found.unread, found.faults) == (1, [], [])


def test_an_array_in_the_middle_of_a_frame_is_a_finding() -> None:
    # A loader takes the array from behind the frame: what lies in the frame would be gone past unseen.
    inner = pickle.dumps({"subclass": numpy.ndarray, "shape": (64,), "dtype": numpy.dtype("u1"), "order": "C"}, 4)[
        11:-1
    ]
    body = b"\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93)\x81" + inner + b"b" + EVIL[11:-1] + b"."
    content = b"\x80\x04\x95" + struct.pack("<Q", len(body)) + body + bytes(64)
    found = looked("a.joblib", content)
    assert any("middle of a frame" in fault for fault in found.faults)


def test_torchs_own_tensors_and_plain_values_are_no_finding() -> None:
    from kittui.formats.pickled import Global

    for name in ("FloatStorage", "Tensor", "bfloat16", "Size"):
        assert is_allowed(Global("torch", name))
    assert is_allowed(Global("__torch__.torch.nn.modules.linear", "Linear"))
    for module, name in (("torch", "hub.Tensor"), ("torch", "load"), ("os", "FloatStorage"), ("builtins", "eval")):
        assert not is_allowed(Global(module, name))
