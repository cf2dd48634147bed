"""Choices that are wider than their dialog."""

from __future__ import annotations

import pytest

from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from tests.tui.waiting import listed, resize, text_of, until
from tests.tui.world import acme

WORDS = "signed rejection; it is not a signature of the ModelKit, and your latest decision counts"
CHOICES = [Choice("a", "Reject for champion", WORDS), Choice("b", "Attest", "模型 " * 30), Choice("c", "Sign", "short")]


@pytest.mark.parametrize("width", [80, 120])
async def test_what_a_choice_says_goes_on_below_what_it_says(width: int) -> None:
    async with acme().app().run_test(size=(width, 24)) as pilot:
        await listed(pilot)
        pilot.app.push_screen(ChoiceDialog("Vouch", CHOICES))
        await until(pilot, lambda: "decision counts" in " ".join(text_of(pilot).replace("│", " ").split()))
        await resize(pilot, (70, 24))
        await until(pilot, lambda: "decision counts" in " ".join(text_of(pilot).replace("│", " ").split()))
        rows = [line for line in text_of(pilot).splitlines() if "│" in line]
        first = next(line for line in rows if "Reject for champion" in line)
        left, at = first.index("Reject"), first.index("signed rejection")
        begins = [line[left:at].strip() for line in rows[rows.index(first) :] if line[left:].strip(" │")]
        assert begins[0] == "Reject for champion"
        assert begins.count("") >= 2, "both long ones go on"
        assert [begin for begin in begins[1:] if begin][:2] == ["Attest", "Sign"]
