"""Rows that failed, in words."""

from __future__ import annotations

from kittui.errors import Denied, KittuiError, Unreachable
from kittui.tui.frame.failures import left_out, reasons

GONE = Unreachable("it can't be reached.")


def test_a_reason_that_rows_share_is_said_once_with_all_their_names() -> None:
    failed: list[tuple[str, KittuiError]] = [(f"remote://a:5000/fraud:v{number}", GONE) for number in range(3)]
    failed.insert(1, ("remote://a:5000/fraud:champion", Denied("you may not")))
    assert reasons(failed) == [
        "remote://a:5000/fraud:v0, v1, v2: it can't be reached.",
        "remote://a:5000/fraud:champion: you may not",
    ]
    assert left_out(failed)[0] == "Left out: remote://a:5000/fraud:v0, v1, v2: it can't be reached."


def test_of_many_rows_the_rest_is_counted() -> None:
    assert reasons([(f"fraud:v{number}", GONE) for number in range(300)]) == [
        "fraud:v0, v1, v2, v3, v4, v5, v6, v7 and 292 more: it can't be reached."
    ]


def test_another_repository_is_named_in_full_whatever_its_host_looks_like() -> None:
    names = ("remote://a:5000/one", "remote://a:5000/two", "remote://a:5000/two:v1", "local://two:v1")
    assert reasons([(name, GONE) for name in names]) == [f"{', '.join(names)}: it can't be reached."]


def test_what_has_no_name_is_its_reason_alone() -> None:
    assert reasons([("", Denied("you may not"))]) == ["you may not"]
