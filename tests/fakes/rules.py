"""Rules for plans in tests."""

from __future__ import annotations

from kittui.usecases.change.plan import ChangePlan
from kittui.usecases.change.policy import Verdict


class Never:
    """A rule that lets nothing pass."""

    async def assess(self, plan: ChangePlan) -> list[Verdict]:
        return [Verdict("never", "fail", "nothing may move", "ask somebody")]
