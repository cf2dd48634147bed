"""Pulls, pushes and copies a ModelKit between sources; moves its tag last, and pulls its parents too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kittui.crashpoints import crash_point
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, NotFound, ParentMissing, Refused, TooLarge, without_again
from kittui.modelkit.variants import needs_choice
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest, load_object
from kittui.oci.media_types import CONFIG_LIMIT, KIT_CONFIG
from kittui.oci.protocols import Repository, SupportsAccept
from kittui.oci.reference import Reference, parse_reference
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.oci.traffic import Traffic, metered
from kittui.tasks import together
from kittui.transfer.engine import transfer_blobs
from kittui.transfer.fetch import Tuning
from kittui.transfer.plan import TransferPlan, plan_transfer
from kittui.transfer.progress import Outcome, Progress
from kittui.usecases.browse.showing import Attachments, attachments
from kittui.usecases.change.carry import carry_attachments
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import NOBODY, Answers, ChangePlan, TagChange
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.readings import manifest_at
from kittui.usecases.change.tags import apply_changes

PARENTS = 10
"""The most model references followed, as in kit."""

Find = Callable[[Reference], Awaitable[tuple[Repository, Target]]]
"""Resolves a model reference to a repository and a tag or digest."""


@dataclass(frozen=True, slots=True)
class MovePlan:
    """A ModelKit to transfer, and the tag to move last; no changes if it points there already.

    `attached` is what refers to it, None if it was not or could not be listed; with `referrers` it is copied too.
    """

    action: str
    transfer: TransferPlan
    tag: Tag | None
    changes: ChangePlan
    attached: Attachments | None = None
    referrers: bool = False

    def along(self, attached: Attachments | None, referrers: bool) -> MovePlan:
        """The same plan for what is attached to the ModelKit."""
        return replace(self, attached=attached, referrers=referrers, changes=replace(self.changes, carried=referrers))

    @property
    def place(self) -> str:
        """Where it happens, as the first line of a plan says it."""
        return self.transfer.destination.reference()

    @property
    def manifest(self) -> Manifest:
        """The manifest to transfer."""
        return self.transfer.manifest

    @property
    def target(self) -> Target:
        """Its tag or digest at the destination."""
        return self.tag or self.manifest.digest


@dataclass(frozen=True, slots=True)
class Moved:
    """The result of a transfer and its traffic; `unseen` is the tag if the destination does not show it yet.

    `carried` counts the attachments that are new at the destination, `left` lists what was left out.
    """

    plan: MovePlan
    outcomes: Mapping[Digest, Outcome]
    traffic: Traffic = field(default_factory=Traffic)
    unseen: tuple[str, ...] = ()
    carried: int = 0
    left: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON of docs/contract.md for pull, push and copy."""
        layers = [
            {"digest": str(layer.digest), "size": layer.size, "outcome": self.outcomes[layer.digest]}
            for manifest in self.plan.transfer.manifests
            for layer in manifest.layers
        ]
        return {
            "reference": self.plan.transfer.destination.reference(self.plan.target),
            "digest": str(self.plan.manifest.digest),
            "layers": layers,
            "traffic": {"requests": self.traffic.requests, "bytes": self.traffic.bytes, "sent": self.traffic.sent},
            "attached": None if self.plan.attached is None else len(self.plan.attached.found),
            "carried": self.carried,
            "not_visible_yet": list(self.unseen),
        }


async def plan_move(
    action: str, origin: Repository, target: Target, destination: Repository, tag: Tag | None = None
) -> MovePlan:
    """Plan a transfer: what is missing, and where the tag points now. Raises NotFound and the sources' errors.

    An index is copied into registries and layouts with all that it lists; kit's store can't hold one.
    """
    transfer, before = await together(
        plan_transfer(origin, target, destination), manifest_at(destination, tag) if tag else _nothing()
    )
    if transfer.manifest.is_index and destination.source.traits.is_store:
        error = needs_choice(transfer.manifest, origin.reference(target))
        raise Refused(
            f"kit's store can't hold an index, and {error.message}",
            hint=f"{error.hint} Or copy it into an OCI layout: kittui copy REF oci:DIR.",
            reference=error.reference,
        )
    if isinstance(destination, SupportsAccept):
        await destination.accept(transfer.manifest)
    after = transfer.manifest
    moves = tag is not None and (before is None or before.raw != after.raw)
    changes = (TagChange(tag, before, after),) if tag is not None and moves else ()
    return MovePlan(action, transfer, tag, ChangePlan(destination, action, changes, origin=origin))


async def with_attached(plan: MovePlan, referrers: bool | None = None) -> MovePlan:
    """Add to the plan what refers to the ModelKit: counted, and copied if `referrers` is true, or if it is None and
    both ends are repositories in registries.

    Listing errors are raised only if it is to be copied; raises Refused for kit's store, which can't hold it.
    """
    origin, destination = plan.transfer.origin, plan.transfer.destination
    if origin.reference() == destination.reference():
        return plan
    if referrers and destination.source.traits.is_store:
        raise Refused(
            "kit's store holds ModelKits only, not what refers to them",
            hint="Copy it into an OCI layout: kittui copy --referrers REF oci:DIR.",
            reference=origin.reference(plan.manifest.digest),
        )
    if referrers is None:
        referrers = origin.source.place.kind == destination.source.place.kind == "remote"
    try:
        return plan.along(await attachments(origin, plan.manifest.digest), referrers)
    except KittuiError as error:
        if referrers:
            error.hint = (
                f"{error.hint + ' ' if error.hint else ''}To leave out what is attached to it, use --no-referrers."
            )
            raise
        return plan


async def _nothing() -> None:
    return None


async def apply_move(
    plan: MovePlan,
    ledger: Ledger,
    policy: Policy,
    answers: Answers = NOBODY,
    progress: Progress | None = None,
    *,
    tuning: Tuning | None = None,
) -> Moved:
    """Transfer the blobs, then the manifest, then the tag.

    Raises ReadOnly, TagProtected and Refused before anything moves, TagMoved if the tag was moved meanwhile, and
    the engine's errors. Running it again continues where it stopped.
    """
    destination = plan.transfer.destination
    policy.check_write(destination.reference())
    await policy.check(plan.changes, answers.typed, answers.override)
    if plan.tag is not None:
        await in_thread(ledger.journal.prepare)
    progress = progress or Progress()
    with metered() as traffic:
        outcomes = await transfer_blobs(plan.transfer, progress, tuning)
        try:
            unseen = await _finish(plan, outcomes, ledger, policy, answers)
        except NotFound:
            again = await plan_transfer(plan.transfer.origin, plan.manifest.digest, destination)
            outcomes = {**outcomes, **await transfer_blobs(again, Progress(), tuning)}
            unseen = await _finish(plan, outcomes, ledger, policy, answers)
        carried, left = 0, tuple[str, ...]()
        if plan.referrers:
            carried, left = await carry_attachments(plan.transfer.origin, destination, plan.manifest.digest)
    progress.phase = "done"
    return Moved(plan, outcomes, traffic, unseen, carried, left)


async def _finish(
    plan: MovePlan,
    outcomes: Mapping[Digest, Outcome],
    ledger: Ledger,
    policy: Policy,
    answers: Answers,
) -> tuple[str, ...]:
    """Store the manifest and move the tag; returns the tag if its move is not visible yet."""
    manifest, destination = plan.manifest, plan.transfer.destination
    if plan.changes.changes:
        return (await apply_changes(plan.changes, ledger, policy, answers)).unseen
    if plan.tag is None or any(outcome != "present" for outcome in outcomes.values()):
        crash_point("transfer.before-put")
        await destination.put_manifest(manifest.raw, manifest.media_type, plan.tag)
    if plan.tag is not None:
        # The tag points there already; if an interrupted run moved it, record that now.
        await apply_changes(plan.changes, ledger, policy)
    return ()


async def parent_of(repository: Repository, manifest: Manifest) -> Reference | None:
    """The ModelKit that model.path refers to; None if it is a file path."""
    if manifest.config is None or manifest.config.media_type != KIT_CONFIG:
        return None
    document = load_object(await repository.read_blob(manifest.config, CONFIG_LIMIT), "the config")
    model = document.get("model")
    path = model.get("path") if isinstance(model, dict) else None
    if not isinstance(path, str) or not (":" in path or "@" in path):
        return None
    try:
        reference = parse_reference(path)
    except KittuiError:
        return None
    return reference if reference.kind is None else None


async def parents_of(
    repository: Repository, manifest: Manifest, find: Find
) -> AsyncIterator[tuple[Repository, Target]]:
    """The chain of ModelKits that model references lead to, nearest first; each resolved by `find` when reached.

    Raises TooLarge for more than 10, Refused for a cycle, and what `find` raises.
    """
    seen = {manifest.digest}
    at, current = repository, manifest
    while (reference := await parent_of(at, current)) is not None:
        if len(seen) > PARENTS:
            raise TooLarge(f"more than {PARENTS} model references in a chain", hint="kit stops there too.")
        at, target = await find(reference)
        current = await at.manifest(target)
        if current.digest in seen:
            raise Refused(
                "the model references form a cycle", hint="Correct model.path in one of their Kitfiles and repack."
            ).at(str(reference))
        seen.add(current.digest)
        yield at, target


def parent_missing(child: str, error: KittuiError) -> ParentMissing:
    """The error of a pull that fetched the ModelKit but not the one its model.path refers to."""
    return ParentMissing(
        f"{child} is in the store, but the ModelKit that its model.path refers to is not: {error.message}",
        hint=f"{without_again(error.hint)} Then pull it again; only what is missing is fetched.".lstrip(),
        reference=error.reference or child,
    )
