"""The corpus of files made to break a parser: each ends with a reason, and what was found before it stays."""

from __future__ import annotations

import io
import json
import pickle
import pickletools
import struct
import tracemalloc
import zipfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.formats import gguf, safetensors
from kittui.formats.model_file import read_weights
from kittui.formats.need import Feed, run_bytes
from kittui.formats.tar import DISK, Pace, TarWalk
from kittui.formats.weights import Weights
from kittui.formats.zip import read_zip
from tests.fakes.hostile_files import FILES, PICKLES, TARS, safe, small_tar, tar_header
from tests.fakes.pickles import follow

CASES = [pytest.param(ending, name, id=f"{name}{ending}") for ending, corpus in FILES.items() for name in corpus]


@pytest.mark.parametrize(("ending", "name"), CASES)
def test_a_file_that_is_made_to_break_a_parser_gets_a_reason(ending: str, name: str) -> None:
    content, words = FILES[ending][name]
    weights, refused = None, ""
    try:
        weights = run_bytes(read_weights(f"x{ending}", len(content), Budget("it")), content)
    except Malformed as error:
        refused = error.message
    if weights is None:
        assert words
        assert words in refused
        return
    said = [weights.problem, *(tensor.problem for tensor in weights.tensors)]
    assert any(words in (text or "") for text in said) if words else not any(said)
    # It can be kept and shown: no number is too long for text, no text for a file.
    assert Weights.load(weights.dump()) == weights
    assert len(str((weights.parameters, weights.nbytes, weights.dtypes))) < 10_000


@pytest.mark.parametrize("name", TARS)
@pytest.mark.parametrize("pace", [Pace(512, 512, 0), DISK])
def test_an_archive_that_is_made_to_break_a_parser_gets_a_reason(name: str, pace: Pace) -> None:
    content, words = TARS[name]
    walk = TarWalk(len(content), Pace(pace.first, pace.most, pace.gap))
    run_bytes(walk.steps(), content)
    assert words in (walk.problem or "") if words else walk.problem is None
    assert walk.complete == (not words)
    # As a stream it is the same.
    streamed = TarWalk(None, Pace(512, 512, 0))
    feed = Feed(streamed.steps())
    for start in range(0, len(content), 700):
        feed.push(content[start : start + 700])
    feed.close()
    assert streamed.entries[: len(walk.entries) - 1] == walk.entries[: len(walk.entries) - 1]


def test_names_stay_what_they_are() -> None:
    walk = TarWalk(None)
    run_bytes(walk.steps(), TARS["twins"][0])
    assert [entry.path for entry in walk.entries] == ["é", "e\u0301", "\udce9", "\x1b[2J"]


def test_pax_keys_that_mean_nothing_take_no_memory() -> None:
    content = b""
    for number in range(8):
        lines = b"".join(b"%d k%03d%06d=1\n" % (len(b"00 k000000000=1\n"), number, n) for n in range(5000))
        content += tar_header(kind=b"g", size=b"%011o\0" % len(lines)) + lines + bytes(-len(lines) % 512)
    content += tar_header(size=b"00000000000\0") * 300 + bytes(1024)
    walk = TarWalk(len(content), DISK)
    tracemalloc.start()
    run_bytes(walk.steps(), content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert walk.complete
    assert len(walk.entries) == 300
    assert peak < 2 * len(content)


def test_headers_of_many_values_are_refused() -> None:
    for header in (b'{"a":[' + b"0," * 1000 + b"0]}", b'{"a":' + b"[" * 1200 + b"]" * 1200 + b"}"):
        content = safe(header)
        with pytest.raises(TooLarge, match="more than 1,000 values in the header"):
            run_bytes(safetensors.read_safetensors(len(content), Budget("the header", items=1000)), content)


def test_of_a_header_with_too_many_tensors_those_up_to_there_are_listed() -> None:
    entry = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
    listed = safe(json.dumps({f"t{n}": entry for n in range(9)}).encode(), b"1")
    quantised = b"GGUF" + struct.pack("<IQQ", 3, 9, 0)
    place = struct.pack("<IQIQ", 1, 1, 0, 0)
    quantised += b"".join(struct.pack("<Q", 2) + b"t%d" % n + place for n in range(9)) + bytes(64)
    for name, content in (("a.safetensors", listed), ("a.gguf", quantised)):
        weights = run_bytes(read_weights(name, len(content), Budget("the header", tensors=3)), content)
        assert [tensor.name for tensor in weights.tensors] == ["t0", "t1", "t2"]
        assert weights.problem == "too large to show: more than 3 tensors in the header"


def test_an_archive_of_more_entries_than_are_listed_says_so() -> None:
    content = small_tar([f"f{n}" for n in range(40)])
    walk = TarWalk(len(content), Pace(512, 512, 0), Budget("the archive", items=10))
    run_bytes(walk.steps(), content)
    assert walk.problem == "too large to show: more than 10 values in the archive; the rest is not listed"
    assert [entry.path for entry in walk.entries[:3]] == ["f0", "f1", "f2"]
    assert len(walk.entries) < 20


def test_arrays_of_many_strings_end_where_they_are_too_many() -> None:
    array = struct.pack("<IIQ", 9, 8, 300) + bytes(8 * 300)
    content = b"GGUF" + struct.pack("<IQQ", 3, 0, 2)
    for key in (b"a", b"b"):
        content += struct.pack("<Q", 1) + key + array
    weights = run_bytes(gguf.read_gguf(len(content), Budget("the header", items=500)), content)
    assert "more than 500 values in the header" in (weights.problem or "")
    assert weights.metadata["a"]["count"] == 300


def test_more_than_a_million_instructions_are_followed_and_then_no_more() -> None:
    program = follow(b"N0" * 600_000 + b"N.")
    assert (program.opcodes, program.problem) == (1_200_002, None)
    for body in (b"(" * 9000, b"N0" * 9000, b"]\x94" * 9000):
        assert "more than 5,000 values" in (follow(body, Budget("the pickle", items=5000)).problem or "")


def test_what_a_pickle_imports_is_found_behind_a_billion_lists() -> None:
    content = PICKLES["a-billion-lists"][0][:-1] + b"h\xc8h\xc8\x93."
    assert [str(found) for found in follow(content).imports] == ["?.?"]


class Named:
    """Something that a pickle imports."""

    def __init__(self, value: object) -> None:
        self.value = value


@given(
    st.recursive(
        st.sampled_from([len, Named, ValueError, complex(1, 2), range(3), pickle.Pickler]) | st.integers() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.builds(Named, inner),
        max_leaves=8,
    ),
    st.integers(0, 5),
)
@settings(max_examples=80)
def test_imports_are_those_that_pickletools_lists(value: object, protocol: int) -> None:
    content = pickle.dumps(value, protocol)
    expected: list[str] = []
    texts: list[str] = []
    memo: dict[int, object] = {}
    last: object = None
    argument: Any
    for opcode, argument, _ in pickletools.genops(content):
        if opcode.name in ("SHORT_BINUNICODE", "BINUNICODE"):
            texts.append(argument)
            last = argument
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = last
        elif opcode.name in ("BINGET", "LONG_BINGET") and isinstance(found := memo.get(argument), str):
            texts.append(found)
        elif opcode.name == "GLOBAL":
            expected.append(argument.replace(" ", ".", 1))
        elif opcode.name == "STACK_GLOBAL":
            expected.append(f"{texts[-2]}.{texts[-1]}")
            last = None
        elif opcode.name not in ("PROTO", "FRAME"):
            last = None
    found = follow(content)
    assert found.problem is None
    assert [str(one) for one in found.imports] == list(dict.fromkeys(expected))


@given(st.data(), st.binary(min_size=1, max_size=12))
@settings(max_examples=200)
def test_no_change_of_a_corpus_file_breaks_a_parser(chosen: st.DataObject, noise: bytes) -> None:
    ending = chosen.draw(st.sampled_from(sorted(FILES)))
    whole, _ = FILES[ending][chosen.draw(st.sampled_from(sorted(FILES[ending])))]
    whole = whole[:20_000]
    place = chosen.draw(st.integers(0, len(whole)))
    for content in (whole[:place] + noise + whole[place + len(noise) :], whole[:place] + noise + whole[place:]):
        try:
            run_bytes(read_weights(f"x{ending}", len(content), Budget("it")), content)
        except Malformed:
            continue


@given(st.data(), st.binary(min_size=1, max_size=12))
@settings(max_examples=120)
def test_no_change_of_an_archive_breaks_a_walk(chosen: st.DataObject, noise: bytes) -> None:
    whole, _ = TARS[chosen.draw(st.sampled_from(sorted(TARS)))]
    whole = whole[:20_000]
    place = chosen.draw(st.integers(0, len(whole)))
    content = whole[:place] + noise + whole[place + len(noise) :]
    walk = TarWalk(len(content))
    run_bytes(walk.steps(), content)
    assert walk.complete or walk.problem


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), max_size=6))
@settings(max_examples=60)
def test_names_in_a_zip_archive_are_those_that_zipfile_reads(names: list[str]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in dict.fromkeys(names):
            archive.writestr(zipfile.ZipInfo(name), b"")
        expected = [info.filename for info in archive.infolist()]
    content = out.getvalue()
    assert [member.path for member in run_bytes(read_zip(len(content), Budget("it")), content)] == expected


def test_a_corpus_file_stays_as_small_as_it_says() -> None:
    assert sum(len(content) for corpus in FILES.values() for content, _ in corpus.values()) < 3_000_000
    assert json.dumps(sorted(TARS))
