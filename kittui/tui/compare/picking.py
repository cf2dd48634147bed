"""Chooses the two versions to compare: marked ones, a suggested pair, or a reference in any place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

from kittui.errors import BadReference, KittuiError, sentences
from kittui.modelkit.stages import LifecycleTags
from kittui.oci.digest import Digest
from kittui.oci.order import natural_key
from kittui.oci.protocols import Incomplete, Repository
from kittui.oci.reference import LOCAL
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import together
from kittui.terminal import clean, parse_time
from kittui.tui.compare.pick_dialog import Offer, PickDialog
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.frame.context import Context
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Selection
from kittui.usecases.diff.compare import Side
from kittui.usecases.diff.order import by_stage, by_time, by_version

_DIGEST: Final = re.compile(
    r"(?P<at>@?(?:sha(?:256|512):)?)(?P<hex>[0-9a-f]{7,128})|@.*|sha(?:256|512):.*", re.IGNORECASE
)
"""What is meant as a digest of the repository that is shown: nothing else can be written like this."""


async def diff(context: Context) -> None:
    """Open the comparison of what is marked and under the cursor; where that isn't two, ask for the other one."""
    both = marked(context.selection)
    pair = await in_order(context, both) if both is not None else await _pick(context)
    if pair is None:
        return
    context.show(CompareScreen(await context.ports.differ(pair), *pair))
    if both is not None:
        context.clear_marks()


def marked(selection: Selection) -> tuple[Side, Side] | None:
    """The two marked versions in the order of marking, or the marked one and the one under the cursor."""
    sides = [Side(mark.repository, mark.target) for mark in selection.marks]
    here = _here(selection)
    if len(sides) == 1 and here is not None and here.reference != sides[0].reference:
        sides.append(here)
    return (sides[0], sides[1]) if len(sides) == 2 else None


async def in_order(context: Context, pair: tuple[Side, Side]) -> tuple[Side, Side]:
    """The older one first, by stage, time or version; where none of them says it, as they are."""
    (a, b), ports = pair, context.ports
    older = by_stage(a.target, b.target, ports.settings.lifecycle)
    if older is None:
        older = by_time(*await _created(context, pair))
    if older is None:
        older = by_version(a.target, b.target)
    return (b, a) if older is False else (a, b)


async def _created(context: Context, pair: tuple[Side, Side]) -> tuple[datetime | None, datetime | None]:
    """When both were created; what was listed already is asked for by its digest, which costs nothing."""

    async def created(side: Side) -> datetime | None:
        known = context.browser.known_digests(side.repository)
        target = known.get(side.target, side.target) if isinstance(side.target, Tag) else side.target
        return parse_time((await context.ports.modelkit(side.repository, target)).created)

    try:
        return await together(created(pair[0]), created(pair[1]))
    except KittuiError:
        # The comparison says what is wrong with a side.
        return None, None


def _here(selection: Selection) -> Side | None:
    if selection.repository is None or selection.target is None:
        return None
    return Side(selection.repository, selection.target)


async def _pick(context: Context) -> tuple[Side, Side] | None:
    here = _here(context.selection)
    if here is None:
        return None
    ports, repository, target = context.ports, here.repository, here.target
    names = context.browser.tag_names(repository)
    if names is None:
        names = await _tags(ports, repository)
    stages = ports.settings.lifecycle
    known = _known(context)
    others = [each for each in known.values() if each.reference() != repository.reference()]
    hand = common_pairs(names, target, stages)
    offers = [*hand, *await _copies(ports, others, here), *other_tags(names, target, hand, stages)]

    async def tags_of(reference: str) -> Sequence[str]:
        return await _tags(ports, known[reference])

    digests = await _digests(context, repository)

    def check(text: str) -> str:
        try:
            if own_digest(text, digests) is not None:
                return ""
            _, name, _ = ports.locate(text)
        except KittuiError as error:
            return sentences(error)
        return "" if name else "This is a source, not a ModelKit: write HOST/REPOSITORY:TAG."

    title = f"Compare {clean(target, limit=30)} with"
    answer = await context.ask(PickDialog(title, offers, list(known), tags_of, check))
    if answer is None:
        return None
    if answer.pair is not None:
        pair = Side(repository, answer.pair[0]), Side(repository, answer.pair[1])
        # What is often compared says itself what it compares with what.
        return pair if answer in hand else await in_order(context, pair)
    if (digest := own_digest(answer.reference, digests)) is not None:
        return await in_order(context, (Side(repository, digest), here))
    place, name, typed = ports.locate(answer.reference)
    source = await ports.source(place)
    return await in_order(context, (Side(source.repository(name), typed or target), here))


def own_digest(text: str, known: Iterable[Digest]) -> Digest | None:
    """The digest of this repository that a text names, whole or by its beginning; None where it is something else.

    Raises BadReference where it can only be a digest, and none of the known ones begins so.
    """
    found = _DIGEST.fullmatch(text.strip())
    if found is None:
        return None
    begins, algorithm = (found["hex"] or "").lower(), (found["at"] or "").lower().strip("@:")
    if len(begins) == {"sha512": 128}.get(algorithm, 64):
        return Digest.parse(f"{algorithm or 'sha256'}:{begins}")
    fitting = sorted({each for each in known if begins and each.hex.startswith(begins)})
    if len(fitting) == 1:
        return fitting[0]
    which = "More than one digest" if fitting else "No digest"
    raise BadReference(
        f"{which} that was listed here begins with {clean(begins or text.strip(), limit=80)}",
        hint="Write the whole digest (sha256: and 64 digits), or HOST/REPOSITORY:TAG.",
    )


async def _digests(context: Context, repository: Repository) -> set[Digest]:
    """The digests of this repository that are known, or cost nothing to list."""
    found = set(context.browser.known_digests(repository).values())
    if repository.source.traits.free:
        with suppress(KittuiError):
            async for page in context.ports.tags(repository):
                found |= {entry.descriptor.digest for entry in page if entry.descriptor is not None}
    return found


async def _tags(ports: Ports, repository: Repository) -> list[Tag]:
    """The names to offer: those that were listed, where there may be more."""
    names: list[Tag] = []
    with suppress(Incomplete):
        async for page in ports.tags(repository):
            names += [entry.name for entry in page if entry.name is not None]
    return names


def _known(context: Context) -> dict[str, Repository]:
    """Every repository that the interface has listed, by its reference."""
    found = sorted(context.browser.repositories, key=lambda each: each.reference())
    return {repository.reference(): repository for repository in found}


async def _copies(ports: Ports, others: Sequence[Repository], here: Side) -> list[Offer]:
    """The same version in other places: in the store only where it is there, elsewhere without asking."""
    offers = []
    mine = f"{here.repository.source.place.host}/{here.repository.name}"
    local = await _in_store(ports, mine) if not here.repository.source.traits.free else None
    for other in [*([local] if local is not None else []), *others]:
        place = other.source.place
        if place == here.repository.source.place or not _same_name(other.name, here.repository.name):
            continue
        if local is not None and other is not local and other.reference() == local.reference():
            continue
        if not other.source.traits.free:
            detail = f"the same tag on {clean(place.host, limit=40)}"
        else:
            try:
                held = here.target in await _tags(ports, other) or isinstance(here.target, Digest)
            except KittuiError:
                held = False
            if not held:
                continue
            detail = f"its copy in {clean(other.source.traits.title, limit=60)}"
        reference = other.reference(here.target)
        offers.append(Offer(reference, detail, reference=reference))
    return offers


async def _in_store(ports: Ports, name: str) -> Repository | None:
    """The repository that the store keeps a registry's repository in, where it is there."""
    try:
        repository = (await ports.source(LOCAL)).repository(name)
        return repository if await _tags(ports, repository) else None
    except KittuiError:
        return None


def _same_name(one: str, other: str) -> bool:
    """Whether two names mean one repository: the store's begin with the registry's host."""
    return one == other or one.endswith(f"/{other}") or other.endswith(f"/{one}")


def common_pairs(names: Sequence[Tag], target: Target, stages: LifecycleTags | None = None) -> list[Offer]:
    """What is often compared: the lifecycle's pairs and the previous version, those with the cursor's tag first."""
    stages = stages or LifecycleTags()
    pairs = {
        (stages.champion, stages.challenger): "what a promotion would change",
        (stages.champion, stages.rollback): "what a rollback would change",
    }
    pairs = {pair: words for pair, words in pairs.items() if set(pair) <= set(names)}
    ordered = sorted((name for name in names if any(map(str.isdigit, name))), key=natural_key)
    if isinstance(target, Tag) and target in ordered and (at := ordered.index(target)) > 0:
        pairs.setdefault((ordered[at - 1], target), "the previous version")
    if isinstance(target, Tag) and stages.champion in names and target != stages.champion:
        pairs.setdefault((stages.champion, target), "the change in production")
    chosen = [pair for pair in pairs if target in pair] + [pair for pair in pairs if target not in pair]
    return [_offer(pair, pairs[pair]) for pair in chosen]


def other_tags(
    names: Sequence[Tag], target: Target, hand: Sequence[Offer] = (), stages: LifecycleTags | None = None
) -> list[Offer]:
    """The version under the cursor with every other tag that is not among the pairs available, the older one first.

    A double arrow says that which one is older is found out by when they were created.
    """
    stages = stages or LifecycleTags()

    def offer(name: Tag) -> Offer:
        older = by_stage(name, target, stages)
        older = by_version(name, target) if older is None else older
        pair = (target, name) if older is False else (name, target)
        return _offer(pair, "") if older is not None else Offer(f"{name} ↔ {target}", "", pair)

    taken = {offer.pair for offer in hand}
    others = [offer(name) for name in sorted(names, key=natural_key, reverse=True) if name != target]
    return [each for each in others if each.pair and not {each.pair, each.pair[::-1]} & taken]


def _offer(pair: tuple[Target, Target], words: str) -> Offer:
    return Offer(f"{pair[0]} → {pair[1]}", words, pair)
