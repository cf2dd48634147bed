"""What users do with a registry, whatever its habits: the right end, or a refusal that changes nothing and says why."""

from __future__ import annotations

import json
from collections.abc import Callable

from tests.fakes.command_line import Ran
from tests.fakes.scripted_registry import digest_of
from tests.field.world import LARGE, MIDDLE, NEW, OLD, PASSWORD, REPOSITORY, TAGS, USER, World, complete, sizes

DIGESTS = {name: digest_of(packed.manifest) for name, packed in (("old", OLD), ("middle", MIDDLE), ("new", NEW))}


def refused(ran: Ran, *codes: str) -> str:
    """The run failed on purpose, with one of these codes; what it said, hint included."""
    assert ran.status != 0, ran.out
    error = json.loads(ran.err.splitlines()[-1])["error"]
    assert error["code"] in codes, ran.err
    assert error["hint"], ran.err
    return f"{error['message']} {error['hint']}"


def login(world: World) -> None:
    """A password is kept once the registry took it, and only then; where nobody is asked, nothing is kept."""
    kept = world.home / "kitops_home/credentials.json"
    words = ("login", world.registry.host, "-u", USER, "--password-stdin")
    assert world.kittui(*words, stdin="wrong").status == (3 if world.habits.auth else 1)
    assert not kept.exists()
    right = world.kittui(*words, stdin=PASSWORD)
    assert (right.status, kept.exists()) == ((0, True) if world.habits.auth else (1, False)), right.err


def catalog(world: World) -> None:
    """The repositories, or that the registry does not list them."""
    ran = world.kittui("ls", world.registry.host)
    if world.habits.catalog:
        assert [row["name"] for row in ran.json["repositories"]] == [REPOSITORY]
    else:
        refused(ran, "unsupported", "unauthorized", "denied")


def browse(world: World) -> None:
    """Every tag once, with digest and size, however many pages they came in."""
    listed = world.kittui("ls", world.repository).json["tags"]
    assert {row["tag"]: row["digest"] for row in listed} == TAGS
    assert len(listed) == len(TAGS)
    assert [row["size"] for row in listed if row["tag"] == "v1.0"] == [sum(map(len, MIDDLE.blobs.values()))]
    shown = world.kittui("show", f"{world.repository}:champion").json
    assert (shown["digest"], shown["kitfile"]["package"]["version"]) == (DIGESTS["middle"], "1.0.0")
    assert [(layer["digest"], layer["size"]) for layer in shown["layers"]] == list(sizes(MIDDLE))


def missing(world: World) -> None:
    """What is not there is called that."""
    refused(world.kittui("show", f"{world.repository}:nowhere"), "not-found")


def look(world: World) -> None:
    """A file in a layer, without pulling."""
    layers = world.kittui("tree", "--yes", f"{world.repository}:v1.0").json["layers"]
    assert [file["path"] for layer in layers for file in layer["files"] if file["type"] == "file"] == [
        "model.bin",
        "src/train.py",
    ]


def pull(world: World) -> None:
    """The same bytes in the store as in the registry."""
    pulled = world.kittui("pull", f"{world.repository}:v1.0").json
    assert pulled["digest"] == DIGESTS["middle"]
    assert world.stored(DIGESTS["middle"]) == MIDDLE.manifest
    for digest, content in MIDDLE.blobs.items():
        assert world.stored(digest) == content


def push(world: World) -> None:
    """A layer that is larger than any request may be, into a repository that exists."""
    kept = world.keep(LARGE, "v2.0")
    ran = world.kittui("push", kept, f"{world.repository}:next")
    if not world.habits.writes:
        refused(ran, "unsupported")
        assert world.tags == TAGS
        return
    assert ran.json["digest"] == digest_of(LARGE.manifest)
    assert world.tags == {**TAGS, "next": digest_of(LARGE.manifest)}
    assert complete(world.registry, REPOSITORY, LARGE)


def push_elsewhere(world: World) -> None:
    """Into a repository that is not there yet."""
    kept = world.keep(NEW, "v1.1")
    ran = world.kittui("push", kept, f"remote://{world.registry.host}/team/fresh:v1")
    if not world.habits.writes:
        refused(ran, "unsupported")
    elif world.habits.create_first:
        assert "team/fresh" in refused(ran, "not-found", "denied", "refused", "unsupported")
    else:
        assert ran.json["digest"] == DIGESTS["new"]
        assert complete(world.registry, "team/fresh", NEW)
        assert world.registry.tags_of("team/fresh") == {"v1": DIGESTS["new"]}


def retag(world: World) -> None:
    """A new tag on the very same bytes."""
    ran = world.kittui("tag", "--yes", f"{world.repository}:v1.0", "stable")
    if not world.habits.writes:
        refused(ran, "unsupported")
        assert world.tags == TAGS
        return
    assert ran.json["changes"] == [{"tag": "stable", "before": None, "after": DIGESTS["middle"]}]
    assert world.tags == {**TAGS, "stable": DIGESTS["middle"]}


def move(world: World) -> None:
    """A tag that exists, where the registry moves it."""
    ran = world.kittui("tag", "--yes", f"{world.repository}:v1.0", "v1.1")
    if world.habits.immutable or not world.habits.writes:
        said = refused(ran, "unsupported", "tag-protected", "refused", "conflict")
        assert not world.habits.immutable or "immutable" in said
        assert world.tags == TAGS
    else:
        assert ran.status == 0, ran.err
        assert world.tags == {**TAGS, "v1.1": DIGESTS["middle"]}


def mount(world: World) -> None:
    """Into another repository of the registry, signatures and all: by mounting, or by copying where that is refused."""
    signatures = world.sign(MIDDLE)
    ran = world.kittui("tag", "--yes", f"{world.repository}:v1.0", f"remote://{world.registry.host}/team/mounted:v1")
    if not world.habits.writes:
        refused(ran, "unsupported")
    elif world.habits.create_first:
        refused(ran, "not-found", "denied", "refused", "unsupported")
    else:
        assert ran.status == 0, ran.err
        assert complete(world.registry, "team/mounted", MIDDLE)
        assert all(world.registry.manifest_of("team/mounted", digest) for digest in signatures)
        assert "attached to it: 2 signatures (copied too)" in ran.err


PROMOTED = {**TAGS, "champion": DIGESTS["new"], "rollback": DIGESTS["middle"]}


def promote(world: World) -> None:
    """Two tags move, history says so, and it is safe to run again."""
    ran = world.kittui("promote", "--yes", world.repository)
    if not world.habits.writes:
        refused(ran, "unsupported")
        assert world.tags == TAGS
        return
    assert [change["tag"] for change in ran.json["changes"]] == ["rollback", "champion"]
    assert world.tags == PROMOTED
    events = world.kittui("history", world.repository).json["events"]
    assert [(event["tag"], event["after"]) for event in events] == [
        ("champion", DIGESTS["new"]),
        ("rollback", DIGESTS["middle"]),
    ]
    assert world.kittui("promote", "--yes", world.repository).json["changes"] == []
    assert world.tags == PROMOTED


def undo(world: World) -> None:
    """A promotion is taken back, once."""
    ran = world.kittui("promote", "--yes", world.repository)
    if not world.habits.writes:
        refused(ran, "unsupported")
        return
    assert ran.status == 0, ran.err
    assert world.kittui("undo", "--yes", world.repository).status == 0
    assert world.tags == TAGS
    again = world.kittui("undo", "--yes", world.repository)
    assert world.tags == TAGS, again.out


def untag(world: World) -> None:
    """A tag alone: gone, or refused with what else can be done; its siblings stay."""
    ran = world.kittui("remove", "--yes", f"{world.repository}:extra")
    if world.habits.writes and world.habits.untag and world.habits.delete:
        assert ran.status == 0, ran.err
        assert world.tags == {tag: to for tag, to in TAGS.items() if tag != "extra"}
    else:
        refused(ran, "unsupported")
        assert world.tags == TAGS


def delete(world: World) -> None:
    """A ModelKit with all its tags: all of them, or none."""
    ran = world.kittui("remove", "--yes", "--delete", f"{world.repository}:extra")
    if world.habits.writes and world.habits.delete:
        assert ran.json["deleted"] == [DIGESTS["new"]]
        assert world.tags == {tag: to for tag, to in TAGS.items() if to != DIGESTS["new"]}
        assert world.registry.manifest_of(REPOSITORY, DIGESTS["new"]) is None
    else:
        refused(ran, "unsupported")
        assert world.tags == TAGS


def delete_signed(world: World) -> None:
    """A ModelKit with what refers to it, whose number the plan of a plain delete would have said."""
    signatures = world.sign(NEW)
    ran = world.kittui("remove", "--yes", "--delete", "--referrers", f"{world.repository}:extra")
    if world.habits.writes and world.habits.delete:
        assert {*ran.json["deleted"]} == {DIGESTS["new"], *signatures}
        assert "attached to it: 2 manifests, which go too" in ran.err
        assert [world.registry.manifest_of(REPOSITORY, digest) for digest in signatures] == [None, None]
        assert world.registry.tags_of(REPOSITORY) == {tag: to for tag, to in TAGS.items() if to != DIGESTS["new"]}
    else:
        refused(ran, "unsupported")
        assert world.tags == TAGS


def copy(world: World) -> None:
    """To another registry, signatures and all."""
    signatures = world.sign(MIDDLE)
    ran = world.kittui("copy", f"{world.repository}:v1.0", f"remote://{world.other.host}/copied/fraud:v1.0")
    assert ran.json["digest"] == DIGESTS["middle"]
    assert complete(world.other, "copied/fraud", MIDDLE)
    assert [world.other.manifest_of("copied/fraud", digest) is not None for digest in signatures] == [True, True]


def copy_alone(world: World) -> None:
    """To another registry without what refers to it, if that is asked for; the plan says so."""
    world.sign(MIDDLE)
    to = f"remote://{world.other.host}/copied/fraud:v1.0"
    ran = world.kittui("copy", "--no-referrers", f"{world.repository}:v1.0", to)
    assert ran.json["digest"] == DIGESTS["middle"]
    assert world.other.tags_of("copied/fraud") == {"v1.0": DIGESTS["middle"]}
    assert "attached to it: 2 signatures (not copied; see --referrers)" in ran.err


def copy_out(world: World) -> None:
    """Into an OCI layout."""
    layout = world.home / "layout"
    ran = world.kittui("copy", f"{world.repository}:v1.0", f"oci:{layout}:v1.0")
    assert ran.json["digest"] == DIGESTS["middle"]
    for digest, content in [(DIGESTS["middle"], MIDDLE.manifest), *MIDDLE.blobs.items()]:
        assert (layout / "blobs/sha256" / digest.removeprefix("sha256:")).read_bytes() == content


OPERATIONS: tuple[Callable[[World], None], ...] = (
    login, catalog, browse, missing, look, pull, push, push_elsewhere, retag, move, mount, promote, undo, untag, delete,
    delete_signed, copy, copy_alone, copy_out,
)  # fmt: skip
