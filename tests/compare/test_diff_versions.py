"""Whole comparisons: kit's own ModelKits, planted edits, sides that lie or are missing."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kittui.compare.comparison import Comparison, Version
from kittui.compare.files import find_moves
from kittui.errors import NotFound
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.registry import RegistrySource
from kittui.store import LocalSource
from kittui.tui.compare.over_versions import summary
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side
from kittui.usecases.diff.manifests import compare_modelkits
from kittui.usecases.diff.timeline import Subject, TimelineUseCase
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import KITFILE, opened, put, safetensors, two
from tests.demo.pack import File, pack
from tests.fakes.memory import MemoryRepository

FRAUD = "127.0.0.1:5055/fraud"
CHANGES = ("added", "removed", "changed", "moved", "not_compared")


async def diff(repository: Any, a: str = "a", b: str = "b", **depth: Any) -> Comparison:
    """Compare two tags of a repository."""
    return await DiffUseCase(opened, Inspector()).compare(
        Side(repository, parse_target(a)), Side(repository, parse_target(b)), Depth(**depth)
    )


def found(comparison: Comparison) -> dict[str, str]:
    """Files that are not the same, and how."""
    return {file.path: file.status for file in comparison.files if file.status != "same"}


def check_fraud(comparison: Comparison) -> None:
    """What fixtures/README.md says of v1.0.0 and v1.1.0."""
    assert {change.path: change.status for change in comparison.kitfile} == {
        "package.version": "changed",
        "model.version": "changed",
        "model.parameters.epochs": "changed",
        "model.parameters.learning_rate": "changed",
        "model.parameters.metrics.auc": "changed",
        "model.parameters.metrics.f1": "changed",
        "docs[docs/MODEL_CARD.md]": "removed",
    }
    assert found(comparison) == {
        "model/fraud.safetensors": "changed",
        "src/features.py": "added",
        "src/params.json": "changed",
        "data/train.csv": "changed",
        "README.md": "changed",
        "docs/MODEL_CARD.md": "removed",
    }
    assert {tensor.name: tensor.status for tensor in comparison.tensors if tensor.status != "same"} == {
        "dense2.weight": "changed"
    }
    (tensor,) = [tensor for tensor in comparison.tensors if tensor.name == "dense2.weight"]
    assert tensor.figures is not None
    assert tensor.figures.fraction == 1.0
    assert tensor.figures.relative_norm == pytest.approx(0.05, rel=1e-4)
    assert [(file, change.path, change.a, change.b) for file, change in comparison.metadata] == [
        ("model/fraud.safetensors", "version", "v1.0.0", "v1.1.0")
    ]
    texts = {text.path: text for text in comparison.texts}
    table = texts["data/train.csv"].table
    assert table is not None
    (row,) = table.rows
    assert (table.key, row.key, [table.names[at] for at in row.changed]) == ("tx_id", "T000041", ["amount", "is_fraud"])
    assert [line.text for line in texts["src/params.json"].hunks[0].lines if line.op == "+"] == [
        '  "epochs": 20,',
        '  "learning_rate": 0.003',
    ]
    assert comparison.problems == ()
    assert comparison.verified


@pytest.mark.parametrize("content", [False, True])
async def test_the_challenger_differs_in_what_the_fixtures_say(kithome: Path, content: bool) -> None:
    repository = LocalSource(kithome, recheck=0).repository(FRAUD)
    check_fraud(await diff(repository, "v1.0.0", "v1.1.0", content=content))


async def test_one_manifest_is_identical_and_other_packaging_is_repacked(kithome: Path) -> None:
    source = LocalSource(kithome, recheck=0)
    same = await diff(source.repository(FRAUD), "v1.0.0", "champion")
    assert same.identical
    assert {layer.status for layer in same.layers} == {"same"}
    for tag in ("v2.0.0-none", "v2.0.0-fastest"):
        repacked = await diff(source.repository("127.0.0.1:5055/sentiment"), "v2.0.0", tag)
        assert repacked.identity == "repacked"
        assert {layer.status for layer in repacked.layers} == {"repacked"}
        assert repacked.files == ()


@pytest.mark.real
async def test_a_registry_and_a_store_and_artifacts_of_other_kinds(shared_kit_registry: Any, kithome: Path) -> None:
    store = LocalSource(kithome, recheck=0)
    async with RegistrySource(shared_kit_registry.host) as source:
        remote = source.repository("fraud")
        case = DiffUseCase(opened, Inspector())
        both = await case.compare(Side(remote, Tag("v1.0.0")), Side(remote, Tag("v1.1.0")))
        check_fraud(both)
        assert 0 < both.bytes < 60_000
        mixed = await case.compare(Side(remote, Tag("champion")), Side(store.repository(FRAUD), Tag("v1.1.0")))
        assert found(mixed) == found(both)
        held = DiffUseCase(opened, Inspector(), [store.repository("any")])
        cheap = await held.compare(Side(remote, Tag("v1.0.0")), Side(remote, Tag("v1.1.0")))
        check_fraud(cheap)
        assert cheap.bytes < 10_000
        handmade = source.repository("handmade/mixed")
        other = await case.compare(Side(handmade, Tag("image")), Side(handmade, Tag("kit")))
        assert other.identity == "different"
        assert any("different kinds" in note for note in other.notes)
        assert other.complete
        index = await case.compare(Side(handmade, Tag("index")), Side(handmade, Tag("kit")))
        assert index.complete


class Gone:
    """Makes one layer unreadable."""

    def __init__(self, digest: str) -> None:
        self.digest = digest

    def __call__(self, repository: MemoryRepository, verb: str, what: str) -> None:
        if what == self.digest:
            raise NotFound("the blob is gone", hint="Pull it again.")


def trees() -> tuple[dict[str, File], dict[str, File]]:
    a = {"src/a.py": File(b"x = 1\n"), "data/d.csv": File(b"id,n\n1,2\n"), "model/w.bin": File(b"\0" * 50)}
    return a, {**a, "src/a.py": File(b"x = 2\n"), "data/d.csv": File(b"id,n\n1,3\n")}


async def test_a_layer_that_can_not_be_read_says_so_and_the_rest_goes_on() -> None:
    repository = two(*trees())
    kit = await opened(repository, "b")
    repository.source.hooks.append(Gone(str(next(layer.digest for layer in kit.layers if layer.type == "code"))))
    comparison = await diff(repository)
    assert found(comparison) == {"data/d.csv": "changed"}
    (problem,) = comparison.problems
    assert (problem.where, problem.message) == ("code src", "the blob is gone")
    assert not comparison.verified


async def test_bytes_that_are_not_what_their_digest_says_are_not_compared() -> None:
    big = bytes(3_000_000)
    a = {"model/w.bin": File(big)}
    repository = two(a, {"model/w.bin": File(big[:-1] + b"1")})
    kit = await opened(repository, "b")
    digest = Digest(str(kit.layers[0].digest))
    content = bytearray(repository.blobs[digest])
    content[2_000_000] ^= 1
    repository.blobs[digest] = bytes(content)
    comparison = await diff(repository, content=True)
    assert [problem.code for problem in comparison.problems] == ["digest-mismatch"]
    assert not comparison.verified
    assert found(comparison) == {"model/w.bin": "not_compared"}


async def test_large_files_are_never_called_the_same_unread() -> None:
    content = random.Random(3).randbytes(2_000_000)
    a = {"model/w.bin": File(content), "src/x.py": File(b"1")}
    b = {"model/w.bin": File(content), "model/z.txt": File(b"new"), "src/x.py": File(b"1")}
    repository = two(a, b)
    quick = await diff(repository)
    assert found(quick) == {"model/w.bin": "not_compared", "model/z.txt": "added"}
    assert quick.unread > 4_000_000
    assert quick.bytes < 200_000
    sampled = await diff(repository, sample=20)
    (note,) = [file.note for file in sampled.files if file.path == "model/w.bin"]
    assert "not proven the same" in note
    assert "95 % confidence" in note
    whole = await diff(repository, content=True)
    assert found(whole) == {"model/z.txt": "added"}
    assert whole.verified
    assert whole.unread == 0


async def test_samples_prove_changes() -> None:
    a, b = random.Random(3).randbytes(1_000_000), random.Random(4).randbytes(1_000_000)
    repository = two(
        {"model/w.safetensors": File(safetensors({"t": ("U8", [len(a)], a)}))},
        {"model/w.safetensors": File(safetensors({"t": ("U8", [len(b)], b)}))},
    )
    sampled = await diff(repository, sample=4)
    (tensor,) = sampled.tensors
    assert (tensor.status, tensor.nature) == ("changed", "values")
    assert found(sampled) == {"model/w.safetensors": "changed"}


def floats(chance: numpy.random.Generator, count: int) -> numpy.ndarray[Any, Any]:
    return chance.normal(size=count).astype("<f4")


@pytest.mark.parametrize("packing", [("none", "none"), ("gzip", "none")])
async def test_figures_over_whole_layers_are_numpys(packing: tuple[str, str]) -> None:
    chance = numpy.random.default_rng(5)
    same, edited, cast, moved = (floats(chance, 300_000) for _ in range(4))
    new = edited.copy()
    new[1000:2000] *= 1.5
    half = cast.astype("<f2")
    late = moved.copy()
    late[-1] = 7

    def entry(values: Any, dtype: str = "F32") -> tuple[str, list[int], bytes]:
        return (dtype, [len(values)], values.tobytes())

    one = {
        "m.moved": entry(moved),
        "m.same": entry(same),
        "m.edited": entry(edited),
        "m.cast": entry(cast),
        "x": entry(same[:3]),
    }
    two_ = {
        "m.same": entry(same),
        "m.edited": entry(new),
        "m.cast": entry(half, "F16"),
        "m.moved": entry(late),
        "x": entry(same[:4]),
    }
    repository = two(
        {"model/w.safetensors": File(safetensors(one))}, {"model/w.safetensors": File(safetensors(two_))}, packing
    )
    comparison = await diff(repository, content=True)
    tensors = {tensor.name: tensor for tensor in comparison.tensors}
    assert {name: (tensor.status, tensor.nature) for name, tensor in tensors.items()} == {
        "m.same": ("same", ""),
        "m.edited": ("changed", "values"),
        "m.cast": ("changed", "recast"),
        "m.moved": ("changed", "values"),
        "x": ("changed", "reshaped"),
    }
    for name, old, now in (("m.edited", edited, new), ("m.cast", cast, half), ("m.moved", moved, late)):
        figures = tensors[name].figures
        assert figures is not None
        x, y = old.astype("f8"), now.astype("f8")
        assert figures.fraction == (x != y).mean()
        assert figures.max_abs == numpy.abs(y - x).max()
        assert figures.mean_abs == pytest.approx(numpy.abs(y - x).mean(), rel=1e-12)
        assert figures.relative_norm == pytest.approx(numpy.linalg.norm(y - x) / numpy.linalg.norm(x), rel=1e-12)
    assert comparison.verified


async def test_a_tensor_larger_than_a_chunk_has_the_figures_of_all_of_it() -> None:
    chance = numpy.random.default_rng(6)
    old = floats(chance, 10_000_000)
    new = old.copy()
    new[9_500_000] += 1
    repository = two(
        {"model/w.safetensors": File(safetensors({"t": ("F32", [len(old)], old.tobytes())}))},
        {"model/w.safetensors": File(safetensors({"t": ("F32", [len(new)], new.tobytes())}))},
    )
    (tensor,) = (await diff(repository, content=True)).tensors
    assert tensor.figures is not None
    assert (tensor.figures.count, tensor.figures.changed) == (10_000_000, 1)
    norm = numpy.linalg.norm((new - old).astype("f8")) / numpy.linalg.norm(old.astype("f8"))
    assert tensor.figures.relative_norm == pytest.approx(norm, rel=1e-6)


NAMES = [
    f"{folder}/{name}" for folder in ("src", "src/deep", "data") for name in ("a.py", "b.txt", "c.csv", "é.md", "w.bin")
]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 1 << 30),
    st.sampled_from(["none", "gzip"]),
    st.sampled_from(["none", "gzip"]),
    st.booleans(),
)
async def test_planted_edits_are_all_found_and_none_invented(
    seed: int, pack_a: str, pack_b: str, content: bool
) -> None:
    chance = random.Random(seed)
    a = {
        name: File(name.encode() + chance.randbytes(chance.choice([0, 3, 700, 70_000])) + b"\n", 0o644)
        for name in chance.sample(NAMES, chance.randint(1, len(NAMES)))
    }
    b = dict(a)
    planted: dict[str, str] = {}
    for name in chance.sample(sorted(a), chance.randint(0, len(a))):
        edit = chance.choice(["same size", "longer", "removed", "mode", "moved"])
        if edit == "same size":
            b[name] = File(b[name].content[:-1] + b"!", 0o644)
        elif edit == "longer":
            b[name] = File(b[name].content + b"more\n", 0o644)
        elif edit == "mode":
            b[name] = File(b[name].content, 0o755)
        else:
            del b[name]
        planted[name] = "removed" if edit in ("removed", "moved") else "changed"
        if edit == "moved":
            del planted[name]
            b[f"{name}.moved"] = a[name]
            planted[f"{name}.moved"] = "moved"
    for name in NAMES:
        if name not in a and chance.random() < 0.3:
            b[name] = File(chance.randbytes(40) + b"new", 0o644)
            planted[name] = "added"
    repository = two(a, b, (pack_a, pack_b))
    comparison = await diff(repository, content=content, remote_budget=10_000_000)
    assert found(comparison) == planted
    assert comparison.problems == ()
    statuses = {(layer.type, layer.status) for layer in comparison.layers}
    code_same = not any(name.startswith("src") for name in planted)
    assert (("code", "changed") in statuses) != code_same


async def test_a_value_is_followed_over_all_versions() -> None:
    repository = two(*trees())
    other = {**KITFILE, "model": {**KITFILE["model"], "parameters": {"lr": 0.5}}}
    put(repository, pack(other, trees()[0], version="1"), "c10")
    put(repository, pack(KITFILE, trees()[0], version="2"), "c9")
    case = TimelineUseCase(opened, Inspector())
    moments = (await case.follow(repository, Subject.parse("model.parameters.lr"))).moments
    assert [(moment.tags, float(str(moment.value)), moment.changed) for moment in moments] == [
        (("a",), 0.01, False),
        (("b",), 0.01, False),
        (("c9",), 0.01, False),
        (("c10",), 0.5, True),
    ]
    files = (await case.follow(repository, Subject.parse("file:src/a.py"))).moments
    assert [moment.changed for moment in files] == [False, True, True, False]
    nothing = (await case.follow(repository, Subject.parse("tensor:model/w.bin:t"))).moments
    assert not any(moment.found for moment in nothing)


async def test_a_tensor_is_followed_by_its_own_bytes() -> None:
    small, large = bytes(400), bytes(3_000_000)

    def tree(weight: bytes, other: bytes, size: int = 100) -> dict[str, File]:
        tensors = {"t": ("F32", [size], weight), "big": ("U8", [len(large)], other)}
        return {"model/m.safetensors": File(safetensors(tensors))}

    repository = two(tree(small, large), tree(small, large[:-1] + b"1"))
    put(repository, pack(KITFILE, tree(b"1" * 400, large), version="1"), "c")
    put(repository, pack(KITFILE, tree(b"1" * 200, large, 50), version="1"), "d")
    case = TimelineUseCase(opened, Inspector())
    followed = (await case.follow(repository, Subject.parse("tensor:model/m.safetensors:t"))).moments
    assert [(moment.tags, moment.changed, moment.maybe) for moment in followed] == [
        (("a",), False, False),
        (("b",), False, False),
        (("c",), True, False),
        (("d",), True, False),
    ]
    assert followed[0].value.startswith("F32 [100], sha256 ")
    unread = (await case.follow(repository, Subject.parse("tensor:model/m.safetensors:big"))).moments
    assert [(moment.changed, moment.maybe) for moment in unread] == [(False, False), *[(False, True)] * 3]
    assert unread[0].value == "U8 [3000000], content not read"


async def test_the_first_answer_needs_two_round_trips() -> None:
    repository = two(*trees())
    states: list[Comparison] = []
    case = DiffUseCase(opened, Inspector())
    await case.compare(Side(repository, Tag("a")), Side(repository, Tag("b")), on_update=states.append)
    assert states[0].requests == 4
    assert [layer.status for layer in states[0].layers] == ["same", "changed", "changed"]
    assert not states[0].complete
    assert states[-1].complete


async def test_what_many_layers_found_is_gathered_once_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    gathered: list[int] = []

    def counted(files: Any, *digests: Any) -> Any:
        gathered.append(len(files))
        return find_moves(files, *digests)

    monkeypatch.setattr("kittui.usecases.diff.compare.find_moves", counted)
    old, new = (dict.fromkeys(("model/a", "src/a", "data/a"), File(content)) for content in (b"1", b"2"))
    repository = two(old, new)

    comparison = await diff(repository)

    assert len(found(comparison)) == 3
    assert gathered == [len(comparison.files)]


async def test_the_same_bytes_under_another_algorithm_are_identical() -> None:
    kit = await opened(two({"model.bin": File(b"1")}, {"model.bin": File(b"2")}), "a")
    other = replace(kit, manifest=replace(kit.manifest, digest=Digest.of(kit.manifest.raw, "sha512")))
    version = Version("a", str(kit.digest))
    assert compare_modelkits(version, version, kit, other).identity == "identical"


async def test_not_there_is_not_a_change() -> None:
    with_lr, without = KITFILE, {**KITFILE, "model": {"name": "m", "path": "model"}}
    other = {**KITFILE, "model": {**KITFILE["model"], "parameters": {"lr": 0.5}}}
    tree = trees()[0]
    repository = two(tree, tree)
    repository.tagged.clear()
    for number, document in enumerate((without, with_lr, without, with_lr, other, without)):
        put(repository, pack(document, tree, version=str(number)), f"v{number}")
    case = TimelineUseCase(opened, Inspector())
    moments = (await case.follow(repository, Subject.parse("model.parameters.lr"))).moments
    assert [(moment.found, moment.changed) for moment in moments] == [
        (False, False),
        (True, False),
        (False, False),
        (True, False),
        (True, True),
        (False, False),
    ]
    assert (
        summary(moments) == "6 versions · changed once, last with v4 · not there in 3 · by version: no times are known"
    )


async def test_large_content_that_was_packed_otherwise_is_the_same() -> None:
    """Too large to be read for a look: what the layer holds tells it apart, not how it is stored."""
    content = random.Random(1).randbytes(2_000_000)
    tree = {**trees()[0], "model/w.bin": File(content)}
    repository = two(tree, tree, ("none", "gzip"))
    put(repository, pack(KITFILE, {**tree, "model/w.bin": File(content[::-1])}, version="1", compression="gzip"), "c")
    case = TimelineUseCase(opened, Inspector(free_bytes=1 << 30))
    moments = (await case.follow(repository, Subject.parse("file:model/w.bin"))).moments
    assert [(moment.changed, moment.maybe) for moment in moments] == [(False, False), (False, False), (False, True)]
    assert moments[0].value == "2000000 bytes, content not read"


async def test_a_large_comparison_is_told_at_its_end_alone_and_is_the_same(
    kithome: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from kittui.usecases.diff import compare

    repository = LocalSource(kithome, recheck=0).repository(FRAUD)
    sides = Side(repository, Tag("v1.0.0")), Side(repository, Tag("v1.1.0"))
    states: list[Comparison] = []
    expected = await DiffUseCase(opened, Inspector()).compare(*sides, Depth(content=True), states.append)
    assert len([state for state in states if state.files]) > 1
    monkeypatch.setattr(compare, "LARGE", 0)
    states.clear()
    told = await DiffUseCase(opened, Inspector()).compare(*sides, Depth(content=True), states.append)
    assert replace(told, requests=expected.requests, bytes=expected.bytes) == expected
    assert [state.complete for state in states if state.files] == [True]


def test_more_rows_than_are_shown_are_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    from kittui.compare import outline
    from kittui.compare.changes import TensorChange

    monkeypatch.setattr(outline, "SHOWN", 3)
    tensors = [TensorChange("m", f"t{n}", "changed" if n in (4, 7) else "same") for n in range(9)]
    *rows, last = outline.tensor_entries(tensors, "m")
    assert [(row.title, row.status) for row in rows] == [("t4", "changed"), ("t7", "changed"), ("t0", "same")]
    assert (last.part, last.title) == ("problem", "6 more tensors")


async def test_a_version_is_not_named_by_the_commit_that_it_was_built_from() -> None:
    tree = trees()[0]
    repository = two(tree, tree)
    repository.tagged.clear()
    for rate, (version, commit) in enumerate({"v1.0.0": "9ab31f0", "v2.0.0": "3b9f2c1", "v10.0.0": "1234567"}.items()):
        document = {**KITFILE, "model": {**KITFILE["model"], "parameters": {"lr": rate}}}
        for tag in (commit, version):
            put(repository, pack(document, tree, version=version), tag)
    case = TimelineUseCase(opened, Inspector())
    moments = (await case.follow(repository, Subject.parse("model.parameters.lr"))).moments
    assert [moment.tags for moment in moments] == [
        ("v1.0.0", "9ab31f0"),
        ("v2.0.0", "3b9f2c1"),
        ("v10.0.0", "1234567"),
    ]


async def test_versions_without_times_stand_in_the_order_of_their_versions() -> None:
    """Tags of stages and runs say nothing of the order: the version tag does, and stands first."""
    tree = trees()[0]
    repository = two(tree, tree)
    repository.tagged.clear()
    named = {"v1": ("retired", "run-2026-11-300"), "v2": ("champion", "run-2026-11-1"), "v10": ("run-2026-11-002",)}
    for rate, (version, others) in enumerate(named.items()):
        document = {**KITFILE, "model": {**KITFILE["model"], "parameters": {"lr": rate / 10}}}
        packed = pack(document, tree, version=version)
        for tag in (*others, version):
            put(repository, packed, tag)
    case = TimelineUseCase(opened, Inspector())
    moments = (await case.follow(repository, Subject.parse("model.parameters.lr"))).moments
    assert [moment.tags[0] for moment in moments] == ["v1", "v2", "v10"]
    assert [moment.changed for moment in moments] == [False, True, True]
    assert summary(moments) == (
        "3 versions · changed 2 times, last with v10, run-2026-11-002 · by version: no times are known"
    )
