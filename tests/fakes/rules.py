"""Rules for plans in tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

from kittui.usecases.change.plan import ChangePlan
from kittui.usecases.change.policy import Announced, Verdict


class Never:
    """A rule that lets nothing pass."""

    async def verdicts(self, plan: ChangePlan) -> AsyncIterator[Verdict]:
        yield Verdict("never", "fail", "nothing may move", "ask somebody")

    async def announced(self, plan: ChangePlan) -> list[Announced]:
        return [Announced("never", "", "nothing")]
