"""What the commands here are given by the composition root, as `ports.services["move"]`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kittui.modelkit.stages import LifecycleTags
from kittui.tui.change.jobs import Jobs
from kittui.tui.frame.ports import Ports

if TYPE_CHECKING:
    from kittui.transfer.fetch import Tuning
    from kittui.usecases.change.ledger import Ledger, Rules
    from kittui.usecases.change.transfer import Find
    from kittui.usecases.inspect.inspector import Inspector

SERVICE = "move"


@dataclass(frozen=True)
class Moves:
    """The ledger that changes are written into, the user's rules, and what transfers need.

    `find` finds the ModelKit that a model reference points to: in the store, then in its registry; `stages` are the
    tags that promote and roll back move.
    """

    ledger: Ledger
    rules: Rules
    inspector: Inspector
    find: Find
    tuning: Tuning | None = None
    stages: LifecycleTags = field(default_factory=LifecycleTags)
    jobs: Jobs = field(default_factory=Jobs)


def moves_of(ports: Ports) -> Moves | None:
    """The service, None where the program was started without it."""
    service = ports.services.get(SERVICE)
    return service if isinstance(service, Moves) else None
