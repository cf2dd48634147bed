"""Ranges and their record: hostile records count for nothing."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.transfer.ranges import Ranges, read_record, write_record

BLOB = Descriptor("x/y", Digest.of(b"blob"), 1000)
pairs = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), max_size=20)


@given(pairs)
def test_ranges_hold_exactly_the_bytes_that_were_added(added: list[tuple[int, int]]) -> None:
    ranges = Ranges(added)
    there = {at for start, end in added for at in range(start, end)}
    assert {at for start, end in ranges for at in range(start, end)} == there
    assert ranges.total == len(there)
    gaps = {at for start, end in ranges.missing(1000, 7) for at in range(start, end)}
    assert gaps == set(range(1000)) - there
    assert all(0 < end - start <= 7 for start, end in ranges.missing(1000, 7))
    frontier = 0
    while frontier in there:
        frontier += 1
    assert ranges.frontier == frontier


@given(pairs)
def test_a_record_comes_back_on_the_same_boot_and_only_what_was_synced_on_another(added: list[tuple[int, int]]) -> None:
    done, synced = Ranges(added), Ranges(added[:1])
    raw = write_record(BLOB, "boot", done, synced)
    assert list(read_record(raw, BLOB, "boot")) == list(done)
    assert list(read_record(raw, BLOB, "next")) == list(synced)
    assert list(read_record(write_record(BLOB, "", done, synced), BLOB, "")) == list(synced)


@given(st.binary(max_size=200))
def test_noise_is_an_empty_record(raw: bytes) -> None:
    assert list(read_record(raw, BLOB, "boot")) == []


def test_records_of_other_blobs_and_broken_ones_count_for_nothing() -> None:
    good = json.loads(write_record(BLOB, "b", Ranges([(0, 10)]), Ranges()))
    for change in (
        {"digest": Digest.of(b"other")},
        {"size": 999},
        {"version": 2},
        {"done": [[0, 2000]]},
        {"done": [[5, 5]]},
        {"done": [["0", "1"]]},
        {"done": [[True, 2]]},
        {"done": 7},
    ):
        assert list(read_record(json.dumps(good | change).encode(), BLOB, "b")) == [], change
