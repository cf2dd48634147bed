"""Reads the board: which ModelKit of which repository is at which stage. Names first, details as they arrive."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from kittui.errors import KittuiError, NotFound
from kittui.modelkit.modelkit import ModelKit
from kittui.modelkit.stages import LifecycleTags
from kittui.oci.digest import Digest
from kittui.oci.order import natural_key
from kittui.oci.protocols import Incomplete, Repository, at_once
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.tasks import stop, together
from kittui.trust.documents import write_time
from kittui.trust.moves import MOVE, Move, read_move
from kittui.trust.reviews import SKEW
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.change.plan import ChangePlan
from kittui.usecases.change.policy import Policy, Verdict
from kittui.usecases.change.promote import TAGS, moves_of
from kittui.usecases.trust.bom import parameters_of
from kittui.usecases.trust.evidence import Evidence
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.verify import Verification
from kittui.usecases.trust.words import NOT_ASKED, Word


@dataclass(frozen=True, slots=True)
class Cell:
    """The ModelKit at one stage of a repository, as far as known.

    `word` is the verdict on its signatures; `moved_by` and `moved_at` say who moved it here, from a record with the
    given `proof`; `differs` says in one line how it differs from the champion; `waits` what its next move waits for.
    """

    tag: Tag
    digest: Digest | None = None
    name: str = ""
    version: str = ""
    created: str | None = None
    word: Word | None = None
    signers: tuple[str, ...] = ()
    moved_by: str = ""
    moved_at: str = ""
    proof: str = ""
    differs: str = ""
    gates: tuple[Verdict, ...] = ()
    problem: str = ""

    @property
    def waits(self) -> str:
        """The first gate that does not pass, and why."""
        return next((f"{one.rule}: {one.reason}" for one in self.gates if one.state != "pass"), "")

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "tag": self.tag,
            "digest": self.digest,
            "name": self.name,
            "version": self.version,
            "created": self.created,
            "signed": self.word or NOT_ASKED,
            "signers": list(self.signers),
            "moved_by": self.moved_by,
            "moved_at": self.moved_at,
            "proof": self.proof,
            "differs": self.differs,
            "gates": [one.to_json() for one in self.gates],
            "waits": self.waits,
            "problem": self.problem,
        }


@dataclass(frozen=True, slots=True)
class BoardRow:
    """A repository and its cells by stage; `complete` once nothing more follows.

    `problem`: why it can't be read, or why its tags may not all be `listed`; then its stages are requested one by one.
    """

    repository: Repository
    cells: Mapping[str, Cell] = field(default_factory=dict, hash=False)
    tags: frozenset[str] = frozenset()
    problem: str = ""
    complete: bool = False
    listed: bool = True

    @property
    def name(self) -> str:
        """HOST/REPO."""
        return plain_name(self.repository)

    @property
    def unread(self) -> bool:
        """Whether nothing in the repository could be read."""
        return bool(self.problem) and self.listed

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "repository": self.repository.reference(),
            "cells": [cell.to_json() for cell in self.cells.values()],
            "complete": None if self.unread else self.listed,
            "problem": self.problem or None,
        }


@dataclass(frozen=True)
class Board:
    """Reads rows; `stages` are the columns in order.

    A card shows the answer of `policy` to the next move: the promotion of the challenger, and `moves` between tags, as
    in the gates.
    """

    modelkits: ModelKits
    evidence: Evidence
    stages: Sequence[Tag]
    lifecycle: LifecycleTags = TAGS
    policy: Policy = field(default_factory=Policy)
    moves: Sequence[tuple[Tag, Tag]] = ()
    _slots: dict[Place, asyncio.Semaphore] = field(default_factory=dict, init=False, repr=False)

    async def rows(self, repositories: Sequence[Repository]) -> AsyncIterator[BoardRow]:
        """Yield each repository twice, as soon as possible: with its stages, then with details.

        Failed ones are marked.
        """
        queue: asyncio.Queue[BoardRow | None] = asyncio.Queue()
        gate = asyncio.Semaphore(at_once(repositories))

        async def names(repository: Repository) -> BoardRow:
            async with gate:
                row = await self.stages_of(repository)
                await queue.put(row)
                return row

        async def details(row: BoardRow) -> None:
            async with gate:
                await queue.put(await self.details_of(row))

        async def work() -> None:
            try:
                found = await together(*(names(repository) for repository in repositories))
                await together(*(details(row) for row in found if not row.complete))
            finally:
                queue.put_nowait(None)

        task = asyncio.create_task(work())
        try:
            while (row := await queue.get()) is not None:
                yield row
            await task
        finally:
            await stop(task)

    async def stages_of(self, repository: Repository) -> BoardRow:
        """Read a repository's stages, from one listing of its tags. A complete row needs no details."""
        tags: set[str] = set()
        problem = ""
        try:
            async for page in repository.tags():
                tags.update(entry.name for entry in page if entry.name is not None)
        except Incomplete as error:
            problem = error.message
        except KittuiError as error:
            return BoardRow(repository, problem=error.message, complete=True)
        cells: dict[str, Cell] = {stage: Cell(stage) for stage in self.stages if stage in tags}
        done = not cells and not problem
        return BoardRow(repository, cells, frozenset(tags), problem, complete=done, listed=not problem)

    async def details_of(self, row: BoardRow) -> BoardRow:
        """Read a row's details; tags that an incomplete listing may have left out are requested."""
        tags = [stage for stage in self.stages if stage in row.tags or not row.listed]
        # The ModelKit with which the others, and their gates, are compared may be in a hidden column.
        wanted = [*tags, *(tag for tag in self._beside(tags) if tag in row.tags or not row.listed)]
        asked = {tag: self._kit(row.repository, tag, listed=tag in row.tags) for tag in dict.fromkeys(wanted)}
        found = zip(asked, await together(*asked.values()), strict=True)
        kits = {tag: kit for tag, kit in found if kit is not None}
        tags = [tag for tag in tags if tag in kits]
        champion = kits.get(self.lifecycle.champion)
        present = champion if isinstance(champion, ModelKit) else None
        digests = list({kit.digest for tag in tags if isinstance(kit := kits[tag], ModelKit)})
        said = dict(zip(digests, await together(*(self._said(row, digest) for digest in digests)), strict=True))
        cells: dict[str, Cell] = {}
        for tag in tags:
            kit = kits[tag]
            if isinstance(kit, KittuiError):
                cells[tag] = Cell(tag, problem=kit.message)
                continue
            cell = self._cell(row, tag, kit, said[kit.digest], present)
            cells[tag] = replace(cell, gates=tuple([one async for one in self._gates(row.repository, tag, kits)]))
        return replace(row, cells=cells, tags=row.tags | kits.keys(), complete=True)

    def _beside(self, tags: Collection[Tag]) -> Sequence[Tag]:
        """The tags whose ModelKits are needed to describe others."""
        targets = [target for origin, target in self._next if origin in tags]
        fallback = [self.lifecycle.rollback] if self.policy.rules and targets else []
        return [self.lifecycle.champion, *fallback, *targets]

    @property
    def _next(self) -> Collection[tuple[Tag, Tag]]:
        """The moves that cards show the gates of, each once."""
        return dict.fromkeys([(self.lifecycle.challenger, self.lifecycle.champion), *self.moves])

    async def _gates(
        self, repository: Repository, origin: Tag, kits: Mapping[Tag, ModelKit | KittuiError]
    ) -> AsyncIterator[Verdict]:
        """The policy's verdicts on the next moves of the ModelKit at a tag."""
        known = {tag: kit.manifest for tag, kit in kits.items() if isinstance(kit, ModelKit)}
        for start, target in self._next:
            if start != origin:
                continue
            changes = moves_of(known, origin, target, self.lifecycle)
            touched = dict.fromkeys([target, *(change.tag for change in changes)])
            failed = [
                f"{tag} could not be read: {kit.message}"
                for tag in touched
                if isinstance(kit := kits.get(tag), KittuiError)
            ]
            if failed:
                yield Verdict("gates", "unknown", failed[0], moved=target)
                continue
            plan = ChangePlan(repository, "promote", changes, {origin: known[origin].digest})
            async for verdict in self.policy.gates(plan):
                yield verdict

    async def _kit(self, repository: Repository, tag: Tag, *, listed: bool) -> ModelKit | KittuiError | None:
        """Read the ModelKit at a tag, or why it can't be read; None if an unlisted tag does not exist."""
        try:
            async with self._slots_of(repository):
                if not listed:
                    await self.modelkits.manifest(repository, tag)
                    listed = True
                return await self.modelkits.open(repository, tag)
        except KittuiError as error:
            return error if listed or not isinstance(error, NotFound) else None

    def _slots_of(self, repository: Repository) -> asyncio.Semaphore:
        source = repository.source
        return self._slots.setdefault(source.place, asyncio.Semaphore(source.traits.at_once))

    async def _said(self, row: BoardRow, digest: Digest) -> Verification | None:
        if row.repository.source.capabilities.attach.denied:
            return None
        try:
            return await self.evidence.statements(row.repository, digest, row.tags)
        except KittuiError:
            return None

    def _cell(
        self, row: BoardRow, tag: Tag, kit: ModelKit, said: Verification | None, champion: ModelKit | None
    ) -> Cell:
        move, proof = last_move(said, row.name, tag, kit.digest) if said is not None else (None, "")
        return Cell(
            tag,
            kit.digest,
            kit.name or "",
            kit.version or "",
            kit.created,
            said.word if said is not None else None,
            said.signers if said is not None else (),
            move.actor if move else "",
            write_time(move.time) if move else "",
            proof,
            difference(kit, champion) if champion is not None and tag != self.lifecycle.champion else "",
        )


def last_move(said: Verification, name: str, tag: str, digest: Digest) -> tuple[Move | None, str]:
    """The last recorded move of a tag to a digest, and what its record proves; verified ones take precedence.

    Records dated in the future prove nothing, and are left out.
    """
    latest = datetime.now(UTC) + SKEW
    found: list[tuple[bool, Move, str]] = []
    for one in said.signatures:
        statement = one.verdict.statement
        if one.predicate_type != MOVE or statement is None or one.status in ("invalid", "error"):
            continue
        move = read_move(statement.predicate)
        if move is None or move.time > latest:
            continue
        if (move.repository, move.tag, move.after) == (name, tag, digest):
            found.append((one.verdict.holds, move, one.status))
    if not found:
        return None, ""
    _, move, proof = max(found, key=lambda entry: (entry[0], entry[1].time))
    return move, proof


def difference(kit: ModelKit, champion: ModelKit) -> str:
    """The difference from the champion in one line, from manifests and Kitfiles only."""
    if kit.digest == champion.digest:
        return "the same"
    parts: list[str] = []
    if kit.version != champion.version:
        parts.append(f"version {champion.version or 'none'} → {kit.version or 'none'}")
    own, other = _layers(kit), _layers(champion)
    kinds = dict.fromkeys(kind for kind, _ in (*own, *other))
    parts += [kind for kind in kinds if _of(own, kind) != _of(other, kind)]
    mine, theirs = parameters_of(kit), parameters_of(champion)
    changed = sorted((key for key in {*mine, *theirs} if mine.get(key) != theirs.get(key)), key=natural_key)
    if len(changed) == 1:
        key = changed[0]
        parts.append(f"{key} {theirs.get(key, 'none')} → {mine.get(key, 'none')}")
    elif changed:
        parts.append(f"{len(changed)} parameters")
    return ", ".join(parts) or "the Kitfile"


def _layers(kit: ModelKit) -> Counter[tuple[str, Digest]]:
    return Counter((layer.type, layer.diff_id or layer.digest) for layer in kit.layers)


def _of(layers: Counter[tuple[str, Digest]], kind: str) -> dict[Digest, int]:
    return {digest: count for (found, digest), count in layers.items() if found == kind}
