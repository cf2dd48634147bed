"""What the changing use cases need, assembled once for both front ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from kittui.oci.protocols import Repository
from kittui.oci.reference import Reference
from kittui.oci.target import Target
from kittui.transfer.fetch import Tuning
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.inspect.inspector import Inspector


@dataclass(frozen=True)
class ChangeTools:
    """The ledger, the user's policy, and what transfers need.

    `find` resolves a model reference: in the store, then in its registry.
    """

    ledger: Ledger
    policy: Policy
    inspector: Inspector
    find: Callable[[Reference], Awaitable[tuple[Repository, Target]]]
    tuning: Tuning = field(default_factory=Tuning)
