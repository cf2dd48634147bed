"""What should be: where every tag is, what can be undone, and what each operation is to make of it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tests.demo.pack import File, Packed, pack
from tests.fakes.scripted_registry import digest_of

Tags = dict[str, str]
RIGHT, WRONG = "s3cret", "not-the-pass-word"


def kits(seed: int) -> list[Packed]:
    """Four ModelKits of one round, that share their code and nothing else."""
    made = []
    for number, size in enumerate((20_000, 70_000, 300_000, 1_500_000)):
        kitfile = {
            "manifestVersion": "1.0.0",
            "package": {"name": "fraud", "version": f"{number}.0.0"},
            "model": {"name": "fraud", "path": "model.bin"},
            "code": [{"path": "src"}],
        }
        content = random.Random(seed * 10 + number).randbytes(size)
        tree = {"model.bin": File(content), "src/train.py": File(b"print('train')\n")}
        made.append(pack(kitfile, tree, version="1.7.0"))
    return made


@dataclass(frozen=True)
class Change:
    """A change that kittui made and can take back: tags with their digests before and after, None for none."""

    repository: str
    tags: Mapping[str, tuple[str | None, str | None]]


@dataclass(frozen=True)
class Operation:
    """One call of kittui and what must come of it.

    `remote` are the tags of each repository that it may touch as they must be in the end, `store` and `layout` the
    same for these; None: it touches none of them. `status` is what it exits with when nothing goes wrong.
    `twice`: two processes do it at once. `placeholder`: the tag that points to a placeholder before it goes.
    """

    name: str
    argv: list[str]
    status: int = 0
    stdin: str = ""
    remote: Mapping[str, Tags] = field(default_factory=dict)
    store: Tags | None = None
    layout: Tags | None = None
    change: Change | None = None
    undone: bool = False
    unpacked: tuple[str, str] | None = None
    elsewhere: tuple[str, str, str] | None = None
    twice: bool = False
    placeholder: str = ""


@dataclass
class Model:
    """The state between operations, when all are finished. Repositories are named with the round's number."""

    seed: int
    host: str
    layout_path: str
    untags: bool
    kits: list[Packed] = field(default_factory=list)
    remote: dict[str, Tags] = field(default_factory=dict)
    store: Tags = field(default_factory=dict)
    layout: Tags = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    moved_elsewhere: set[tuple[str, str]] = field(default_factory=set)
    former: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    number: int = 0

    @property
    def main(self) -> str:
        return f"r{self.seed}/fraud"

    @property
    def other(self) -> str:
        return f"r{self.seed}/other"

    def begin(self) -> None:
        """The kits and the tags of a new round."""
        self.kits = kits(self.seed)
        old, middle, new, large = (digest_of(each.manifest) for each in self.kits)
        first = {
            "v0": old,
            "rollback": old,
            "v1": middle,
            "champion": middle,
            "v2": new,
            "challenger": new,
            "v3": large,
        }
        self.remote = {self.main: first, self.other: {}}

    def next(self, chance: random.Random) -> Operation:
        """An operation that makes sense now."""
        self.number += 1
        while True:
            name = chance.choice(NAMES)
            found: Operation | None = getattr(self, f"_{name}")(chance)
            if found is not None:
                return replace(found, twice=name in TWICE and chance.random() < 0.1)

    def settle(self, operation: Operation) -> None:
        """The operation is finished."""
        for repository, tags in operation.remote.items():
            for tag, digest in self.remote[repository].items():
                self.former.setdefault((repository, tag), set()).add(digest)
            self.remote[repository] = dict(tags)
        self.store = dict(operation.store if operation.store is not None else self.store)
        self.layout = dict(operation.layout if operation.layout is not None else self.layout)
        if operation.change is not None:
            self.changes.append(operation.change)
        if operation.undone:
            self.changes.remove(self._last(self.main))  # type: ignore[arg-type]
        if operation.elsewhere is not None:
            self.moved_elsewhere.add(operation.elsewhere[:2])

    def _last(self, repository: str) -> Change | None:
        return next((each for each in reversed(self.changes) if each.repository == repository), None)

    def _ref(self, tag: str = "", repository: str = "") -> str:
        return f"remote://{self.host}/{repository or self.main}" + (f":{tag}" if tag else "")

    def _local(self, tag: str) -> str:
        return f"local://{self.host}/{self.main}:{tag}"

    def _moved(self, repository: str, after: Mapping[str, str | None], name: str, argv: list[str]) -> Operation:
        """An operation that leaves tags of a repository at these digests."""
        now = self.remote[repository]
        goal = {**now, **after}
        changed = {tag: (now.get(tag), to) for tag, to in after.items() if now.get(tag) != to}
        tags = {tag: to for tag, to in goal.items() if to is not None}
        change = Change(repository, changed) if changed else None
        return Operation(name, argv, remote={repository: tags}, change=change)

    def _pull(self, chance: random.Random) -> Operation:
        tag = chance.choice(sorted(self.remote[self.main]))
        goal = {**self.store, tag: self.remote[self.main][tag]}
        return Operation("pull", ["pull", self._ref(tag)], store=goal)

    def _push(self, chance: random.Random) -> Operation | None:
        if not self.store:
            return None
        tag, repository = chance.choice(sorted(self.store)), chance.choice((self.main, self.other))
        new = f"p{self.number}"
        argv = ["push", self._local(tag), self._ref(new, repository)]
        return self._moved(repository, {new: self.store[tag]}, "push", argv)

    def _copy_out(self, chance: random.Random) -> Operation:
        tag, new = chance.choice(sorted(self.remote[self.main])), f"c{self.number}"
        goal = {**self.layout, new: self.remote[self.main][tag]}
        return Operation("copy out", ["copy", self._ref(tag), f"oci:{self.layout_path}:{new}"], layout=goal)

    def _copy_in(self, chance: random.Random) -> Operation | None:
        if not self.layout:
            return None
        tag, new = chance.choice(sorted(self.layout)), f"c{self.number}"
        argv = ["copy", f"oci:{self.layout_path}:{tag}", self._ref(new, self.other)]
        return self._moved(self.other, {new: self.layout[tag]}, "copy in", argv)

    def _copy(self, chance: random.Random) -> Operation:
        tag, new = chance.choice(sorted(self.remote[self.main])), f"c{self.number}"
        argv = ["copy", self._ref(tag), self._ref(new, self.other)]
        return self._moved(self.other, {new: self.remote[self.main][tag]}, "copy", argv)

    def _unpack(self, chance: random.Random) -> Operation:
        tag, folder = chance.choice(sorted(self.remote[self.main])), f"unpacked-{self.number}"
        argv = ["unpack", self._ref(tag), "--dir", folder]
        return Operation("unpack", argv, unpacked=(folder, self.remote[self.main][tag]))

    def _tag(self, chance: random.Random) -> Operation:
        tags = self.remote[self.main]
        tag, to = chance.choice(sorted(tags)), chance.choice((f"t{self.number}", "challenger", "stable"))
        return self._moved(self.main, {to: tags[tag]}, "tag", ["tag", "--yes", self._ref(tag), to])

    def _promote(self, _: random.Random) -> Operation:
        tags, after = self.remote[self.main], {}
        if tags["challenger"] != tags["champion"]:
            after = {"rollback": tags["champion"], "champion": tags["challenger"]}
        return self._moved(self.main, after, "promote", ["promote", "--yes", self._ref()])

    def _rollback(self, _: random.Random) -> Operation:
        after = {"champion": self.remote[self.main]["rollback"]}
        return self._moved(self.main, after, "rollback", ["rollback", "--yes", self._ref()])

    def _remove(self, chance: random.Random) -> Operation | None:
        spare = [tag for tag in sorted(self.remote[self.main]) if tag[0] in "tp" and tag[1:].isdigit()]
        if not spare:
            return None
        tag = chance.choice(spare)
        way = [] if self.untags else ["--placeholder"]
        found = self._moved(self.main, {tag: None}, "remove", ["remove", "--yes", *way, self._ref(tag)])
        return replace(found, placeholder="" if self.untags else tag)

    def _delete(self, chance: random.Random) -> Operation | None:
        """A ModelKit with all its tags, where none of them has a role."""
        tags = self.remote[self.main]
        needed = {tags[tag] for tag in ("champion", "challenger", "rollback")}
        spare = sorted(tag for tag, to in tags.items() if to not in needed)
        if not spare:
            return None
        tag = chance.choice(spare)
        gone: dict[str, str | None] = {name: None for name, to in tags.items() if to == tags[tag]}
        return self._moved(self.main, gone, "delete", ["remove", "--yes", "--delete", self._ref(tag)])

    def _remove_local(self, chance: random.Random) -> Operation | None:
        if not self.store:
            return None
        tag = chance.choice(sorted(self.store))
        goal = {name: to for name, to in self.store.items() if name != tag}
        return Operation("remove local", ["remove", "--yes", self._local(tag)], store=goal)

    def _undo(self, _: random.Random) -> Operation:
        argv, last, tags = ["undo", "--yes", self._ref()], self._last(self.main), self.remote[self.main]
        if last is None:
            return Operation("undo", argv, status=1)
        held = {tag: tags.get(tag) for tag in last.tags}
        stays = any(held[tag] not in pair for tag, pair in last.tags.items())
        created = any(before is None and held[tag] is not None for tag, (before, _) in last.tags.items())
        if stays or (created and not self.untags):
            return Operation("undo", argv, status=1)
        done = self._moved(self.main, {tag: before for tag, (before, _) in last.tags.items()}, "undo", argv)
        return Operation("undo", argv, remote=done.remote, undone=True)

    def _login(self, chance: random.Random) -> Operation:
        argv = ["login", self.host, "-u", "ann", "--password-stdin"]
        if chance.random() < 0.5:
            return Operation("login", argv, stdin=RIGHT)
        return Operation("login refused", argv, stdin=WRONG, status=3)

    def _elsewhere(self, chance: random.Random) -> Operation | None:
        """Somebody else moves a tag; not back to where it was, which kittui takes for a late reading."""
        tag = chance.choice(("challenger", "stable"))
        former = self.former.get((self.main, tag), set())
        new = [digest for packed in self.kits if (digest := digest_of(packed.manifest)) not in former]
        if not new:
            return None
        digest = chance.choice(new)
        goal = {**self.remote[self.main], tag: digest}
        return Operation("elsewhere", [], remote={self.main: goal}, elsewhere=(self.main, tag, digest))

    def _look(self, chance: random.Random) -> Operation:
        tag = chance.choice(sorted(self.remote[self.main]))
        words = chance.choice((["ls", self._ref()], ["show", self._ref(tag)], ["tree", "--yes", self._ref(tag)]))
        return Operation("look", [*words])


NAMES = (
    "pull", "push", "push", "copy_out", "copy_in", "copy", "unpack", "tag", "tag", "promote", "promote", "rollback",
    "remove", "delete", "remove_local", "undo", "undo", "login", "elsewhere", "look",
)  # fmt: skip
TWICE = {"pull", "push", "copy_out", "copy", "tag", "promote", "rollback"}
"""What two processes may do at once: it ends as if one had done it."""
