"""What must hold after every operation, whatever went wrong in it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.demo.pack import Packed
from tests.fakes.kit_semantics import complete
from tests.fakes.scripted_registry import digest_of
from tests.faults.model import WRONG, Model, Operation, Tags
from tests.faults.worker import Outcome
from tests.field.real import Real

DRAFTS = 8
"""What one killed run leaves of drafts in a folder at most; the next that writes there takes them away."""


class Broken(AssertionError):
    """An invariant does not hold."""


def holds(fact: bool, message: str) -> None:
    """Raise Broken with the message unless it does."""
    if not fact:
        raise Broken(message)


def check_texts(ran: Outcome, home: Path) -> None:
    """What was said: no traceback, no fault of kittui's own, no password."""
    said = ran.out + ran.err
    for bad in ("Traceback (most recent call last)", "internal error in kittui", "was never awaited", WRONG):
        holds(bad not in said, f"it said {bad!r}: {said[-1500:]}")
    if ran.status not in (0, None) and ran.status > 0:
        holds(bool(ran.err.strip()), f"it ended with {ran.status} and said nothing")


def check_touched(
    registry: Real, home: Path, model: Model, operation: Operation, *, finished: bool
) -> Mapping[str, Tags]:
    """Nothing but what was asked for has moved, and that to its end, or not at all; all of it where it `finished`.

    Returns the tags that were found in each repository.
    """
    found = {repository: named_tags(registry, repository) for repository in model.remote}
    for repository, before in model.remote.items():
        goal = operation.remote.get(repository, before)
        held = {
            tag: to for tag, to in found[repository].items() if tag != operation.placeholder or to in before.values()
        }
        _between(found[repository] if finished else held, before, goal, finished, f"in {repository}")
    champion = found[model.main].get("champion", "")
    packed = next((each for each in model.kits if digest_of(each.manifest) == champion), None)
    holds(packed is not None and _whole(registry, model.main, packed), f"champion does not resolve: {champion}")
    store = operation.store if operation.store is not None else model.store
    _between(stored_tags(home, model), model.store, store, finished, "in the store")
    layout = operation.layout if operation.layout is not None else model.layout
    _between(layout_tags(model), model.layout, layout, finished, "in the layout")
    check_store(home)
    _named_by_digest(Path(model.layout_path) / "blobs/sha256")
    return found


def _between(found: Tags, before: Tags, goal: Tags, finished: bool, where: str) -> None:
    if finished:
        holds(found == goal, f"it ended with 0, and the tags {where} are {_short(found)} instead of {_short(goal)}")
    for tag in {*found, *before, *goal}:
        at = found.get(tag)
        if at in (before.get(tag), goal.get(tag)):
            continue
        raise Broken(f"{tag} {where} is at {at}, it was at {before.get(tag)} and was to be at {goal.get(tag)}")


def check_settled(remote: Mapping[str, Tags], home: Path, model: Model) -> None:
    """Once it is finished: every tag where it should be, history in accord with the registry, nothing left over."""
    for repository, tags in model.remote.items():
        found = remote[repository]
        holds(found == tags, f"the tags in {repository} are {_short(found)} instead of {_short(tags)}")
    found = stored_tags(home, model)
    holds(found == model.store, f"the tags in the store are {_short(found)} instead of {_short(model.store)}")
    found = layout_tags(model)
    holds(found == model.layout, f"the tags in the layout are {_short(found)} instead of {_short(model.layout)}")
    check_history(home, model)
    drafts: Counter[Path] = Counter()
    for path in home.rglob("*"):
        drafts[path.parent] += path.name.startswith((".write", ".put", ".draft"))
        holds(drafts[path.parent] <= DRAFTS, f"drafts pile up: {path}")
        if path.is_file() and path.stat().st_size < 100_000:
            content = path.read_bytes()
            for secret in (WRONG.encode(), base64.b64encode(f"ann:{WRONG}".encode())):
                holds(secret not in content or path.name == "in", f"a refused password is in {path}")


def check_history(home: Path, model: Model) -> None:
    """The last event of each tag says where it is; each event begins where the one before it ended."""
    ends: dict[tuple[str, str], str | None] = {}
    for event in history(home):
        repository = str(event["repository"]).removeprefix(f"remote://{model.host}/")
        if repository not in model.remote:
            continue
        key, before, after = (repository, str(event["tag"])), event["before"], event["after"]
        if key not in model.moved_elsewhere:
            was = ends.get(key, before)
            holds(before == was, f"history says {key} moved from {before}, but it was at {was}: {event}")
        ends[key] = after
    for (repository, tag), end in ends.items():
        if (repository, tag) not in model.moved_elsewhere:
            at = model.remote[repository].get(tag)
            holds(at == end, f"history says {tag} in {repository} is at {end}, but it is at {at}")


def history(home: Path) -> Iterator[Mapping[str, str | None]]:
    """The events, oldest first."""
    path = home / "state/kittui/history.jsonl"
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def check_store(home: Path) -> None:
    """The store is readable by kit's rules, and every blob's name is its digest."""
    if (home / "kit/storage/index.json").exists():
        complete(home / "kit")
    _named_by_digest(home / "kit/storage/blobs/sha256")


def check_unpacked(folder: Path, model: Model, digest: str) -> None:
    """The files of a ModelKit, and nothing else."""
    packed = next(each for each in model.kits if digest_of(each.manifest) == digest)
    model_layer = json.loads(packed.manifest)["layers"][0]["digest"]
    content = next(raw for name, raw in packed.blobs.items() if name == model_layer)
    holds((folder / "model.bin").read_bytes() in content, "model.bin has other bytes")
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    holds(names == {"Kitfile", "model.bin", "src/train.py"}, f"unpacked are {sorted(names)}")


def named_tags(registry: Real, repository: str) -> Tags:
    """The tags of a repository, those that list what is attached to a manifest aside."""
    return {tag: to for tag, to in registry.tags_of(repository).items() if not tag.startswith("sha256-")}


def stored_tags(home: Path, model: Model) -> Tags:
    """The tags of the round's repository in kit's store, read as kit reads them."""
    name = base64.urlsafe_b64encode(f"{model.host}/{model.main}".encode()).decode()
    path = home / "kit/storage" / f"{name}-tags.json"
    return {tag: to["digest"] for tag, to in json.loads(path.read_bytes()).items()} if path.exists() else {}


def layout_tags(model: Model) -> Tags:
    """The tags in the OCI layout; none where it is not one yet."""
    path = Path(model.layout_path) / "index.json"
    if not path.exists():
        return {}
    mark = "org.opencontainers.image.ref.name"
    entries = json.loads(path.read_bytes())["manifests"]
    return {entry["annotations"][mark]: entry["digest"] for entry in entries if mark in entry.get("annotations", {})}


def _named_by_digest(folder: Path) -> None:
    for path in folder.iterdir() if folder.is_dir() else ():
        if not path.name.startswith("."):
            holds(hashlib.sha256(path.read_bytes()).hexdigest() == path.name, f"{path} has other bytes than its name")


def _whole(registry: Real, repository: str, packed: Packed) -> bool:
    manifest = registry.manifest_of(repository, digest_of(packed.manifest))
    return manifest == packed.manifest and all(
        registry.blob_of(repository, digest) == content for digest, content in packed.blobs.items()
    )


def _short(tags: Tags) -> dict[str, str]:
    return {tag: to[7:15] for tag, to in sorted(tags.items())}
