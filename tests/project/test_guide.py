"""Every command of the guide, the README and the pages is run, in the order in which it stands there.

To add a command to a page: add its line to SAYS, with what it has to print.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.fakes.docker_registry import DockerRegistry, require_docker_registry, start_registry
from tests.project.guide import ROOT, SEEDED, Chapter, World, chapters, demo, keys

PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
NOT_RUN = {
    "README.md: Try it": "installs kittui into the clone's folder and runs these tests",
    "README.md: Install it": "installs kittui from the package index, where this version is not yet",
    "docs/contract.md: JSON": "no commands: the forms of what they print",
}
"""Chapters with lines that no test can run, and why."""
REPO = "registry.acme.dev/acme/fraud-detector"
SAYS: dict[str, list[tuple[str, str]]] = {
    "docs/guide.md: Looking around": [
        ("kittui", "Repositories"),
        ("kittui registry.acme.dev", "support-bot"),
        ("kittui ghcr.io/acme/fraud-detector", "champion"),
        ("kittui oci:/mnt/disk", "disk"),
        (f"kittui ls   {REPO}", "AGE  STAGE"),
        (f"kittui tree {REPO}:champion", "model/fraud.safetensors"),
        (f"kittui cat  {REPO}:champion docs/MODEL_CARD.md", "# Model card: fraud detector"),
        (f"kittui cat  {REPO}:champion data/validation.csv --view", "tx_id    amount  merchant"),
        ("kittui tree registry.acme.dev/acme/support-bot:champion --tensors", "Q8_0"),
    ],
    "docs/guide.md: Variants": [
        ("kittui index list registry.acme.dev/acme/support-bot:variants", "q4_0          1GB"),
        ("kittui unpack registry.acme.dev/acme/support-bot:variants -l quantization=q4_0 -d bot", "in bot (verified)"),
        ("kittui diff registry.acme.dev/acme/support-bot:variants", "9 tensors"),
    ],
    "docs/guide.md: Reviewing a challenger": [
        (f"kittui diff {REPO}:champion {REPO}:challenger --tool src/train.py", ""),
        ("kittui diff --markdown", "T000041"),
    ],
    "docs/guide.md: Operating a registry": [
        (f"kittui promote  {REPO} --reason", "champion: ed4feb3a3b50 -> 328ce35705be"),
        (f"kittui rollback {REPO}", "champion: 328ce35705be -> ed4feb3a3b50"),
        (f"kittui history  {REPO} champion", "QA signed off"),
        (f"kittui undo     {REPO}", "champion: ed4feb3a3b50 -> 328ce35705be"),
        (f"kittui history {REPO} champion --at 2026-09-01", "champion at 2026-09-01T00:00:00Z"),
        ("kittui du", "local://  "),
        ("kittui du oci:DIR/models", "acme/sentiment frees"),
        ("kittui clean local:// --untagged --dry-run", "no ModelKits without a tag"),
        (f"kittui clean {REPO} --stage retired --older-than 90d", "retired, v0.8.0 and 1 ModelKit removed"),
        ("kittui doctor registry.acme.dev", "untagging"),
        (f"kittui sign   {REPO}:challenger --key cosign.key", "signed by key SHA256:"),
        (f"kittui attest {REPO}:challenger --type test-result", "attestation/test-result"),
        (f"kittui verify {REPO}:challenger --public-key cosign.pub", "valid"),
        (f"kittui verify {REPO}:champion --files", "there is no model.sig among its files"),
        (f"kittui approve {REPO}:challenger --for champion", "approved for champion"),
        (f"kittui verify  {REPO}:challenger --type svr --show", "recall is up"),
        (f"kittui gate    {REPO}", "Carla must approve"),
        (f"kittui promote {REPO} --override", "champion: 328ce35705be -> 2b8273760cb4"),
        ("kittui board registry.acme.dev/acme/", "champion"),
        ("kittui fleet fraud", "production"),
        ("kittui fleet fraud --promote staging --promote production", "staging: "),
        (f"kittui bom {REPO}:champion", "CycloneDX"),
        ("kittui report   registry.acme.dev/acme/ --html > models.html", ""),
        (f"kittui evidence {REPO}:champion -d audit --key me.pem", "audit  "),
        ("kittui find sha256:d98060da7461", "datasets ./data/validation.csv"),
        (f"kittui find validation.csv {REPO}", "data/validation.csv"),
        (f"kittui find learning_rate=0.001 {REPO}", "model.parameters.learning_rate"),
        (f"kittui timeline {REPO} model.parameters.learning_rate", "0.0005"),
    ],
    "docs/guide.md: From training to production": [
        ("openssl genpkey", ""),
        ("openssl pkey", ""),
        (f"kittui sign    {REPO}:challenger", "signed by key"),
        (f"kittui gate    {REPO}", "2 more of Anna, Ben, Carla must approve"),
        (f"kittui approve {REPO}:challenger --for champion --key ~/keys/anna.pem", "approved for champion"),
        (f"kittui promote {REPO} --yes", "approved by Anna; 1 more of Ben, Carla must approve"),
        (f"kittui approve {REPO}:challenger --for champion --key ~/keys/ben.pem", "approved for champion"),
        (f"kittui gate    {REPO}", "approved by Anna, Ben"),
        (f"kittui promote {REPO} --yes", "champion: "),
        (f"kittui history {REPO} champion", "valid (ops)"),
        ("kittui board   registry.acme.dev/acme/", "valid (CI)"),
        (f"kittui verify  {REPO}:champion", "signed by CI"),
        (f"kittui rollback {REPO} --yes", "champion: "),
        (f"kittui undo     {REPO} --yes", "champion: "),
        ("kittui report   registry.acme.dev/acme/ --markdown", "rollback"),
    ],
    "docs/guide.md: Moving ModelKits": [
        (f"kittui pull   {REPO}:champion", "local://"),
        (f"kittui unpack {REPO}:champion -f datasets:validation -d check", "data/validation.csv"),
        (f"kittui unpack {REPO}:champion --file src/params.json", "src/params.json"),
        (f"kittui copy   {REPO}:champion oci:/mnt/disk/acme/fraud-detector:champion", "fraud-detector:champion"),
    ],
    "docs/guide.md: Scripts": [
        (f"kittui ls --json {REPO} | jq", " champion"),
        (f"kittui promote --dry-run --json {REPO}", '"dry_run": true'),
        (f"kittui promote --yes {REPO}", "champion: ed4feb3a3b50 -> 328ce35705be"),
    ],
    "docs/guide.md: Shells": [
        ('eval "$(_KITTUI_COMPLETE=bash_source kittui)"', ""),
        ('eval "$(_KITTUI_COMPLETE=zsh_source kittui)"', ""),
        ("_KITTUI_COMPLETE=fish_source kittui | source", ""),
    ],
    "docs/record.md: Where it is": [
        (f"kittui history {REPO} champion", "promote"),
        (f"kittui verify  {REPO}:champion --type tag-move --show", "record of a move"),
        ("cosign verify-attestation", ""),
    ],
    "README.md: Use it": [
        ("kittui", "Repositories"),
        ("kittui registry.acme.dev", "support-bot"),
        ("kittui show ghcr.io/acme/fraud-detector:champion", "★ champion"),
        ("kittui tree ghcr.io/acme/fraud-detector:champion", "model/fraud.safetensors"),
        ("kittui diff ghcr.io/acme/fraud-detector:champion", "T000041"),
        ("kittui promote ghcr.io/acme/fraud-detector", "champion: ed4feb3a3b50 -> 328ce35705be"),
    ],
}
"""Of every chapter each line, by how it begins, with a text that it has to print."""
PEOPLE = ("ci", "anna", "ben", "carla", "ops")
CHAPTERS = [each for page in PAGES for each in chapters(page) if each.name not in NOT_RUN]


@pytest.fixture(scope="session")
def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry's storage with ModelKits of the demo, and the demo itself in `demo`."""
    require_docker_registry()
    folder = tmp_path_factory.mktemp("guide")
    stage, _ = demo(folder / "demo")
    server = start_registry(folder / "server", folder / "storage")
    try:
        world = World(folder / "seeding", {}, {"record": "off"})
        world.prepare()
        for name, tags in SEEDED.items():
            for tag in tags:
                ran = world.run(
                    f"kittui copy --no-referrers oci:{stage.models}/{name}:{tag} {server.host}/{name}:{tag}"
                )
                assert ran.status == 0, ran.err
    finally:
        server.stop()
    return folder


@pytest.fixture
def registry(seed: Path, tmp_path: Path) -> Iterator[DockerRegistry]:
    """The registry of one chapter."""
    shutil.copytree(seed / "storage", tmp_path / "storage")
    server = start_registry(tmp_path / "server", tmp_path / "storage")
    yield server
    server.stop()


@pytest.fixture
def world(seed: Path, registry: DockerRegistry, tmp_path: Path) -> World:
    """A user with that registry, a disk, and a copy of the demo."""
    shutil.copytree(seed / "demo", tmp_path / "demo")
    names = {
        "registry.acme.dev": registry.host,
        "ghcr.io": registry.host,
        "/mnt/disk": f"{tmp_path}/disk",
        "oci:DIR": f"oci:{tmp_path}/demo",
    }
    found = World(tmp_path, names)
    found.prepare()
    return found


def as_it_is(_: World) -> None:
    """Nothing to prepare."""


def for_looking_around(world: World) -> None:
    """A disk with a layout."""
    assert (
        world.run("kittui copy ghcr.io/acme/fraud-detector:champion oci:/mnt/disk/acme/fraud-detector:v1").status == 0
    )


def for_reviewing(world: World) -> None:
    """A difftool."""
    world.config = {"difftool": "grep -q epochs {old} {new}"}
    world.prepare()


def for_operating(world: World) -> None:
    """Keys and files of an operator, and a fleet."""
    work = world.folder / "work"
    keys(work, "ci", "me", "cosign")
    (work / "cosign.pem").rename(work / "cosign.key")
    (work / "result.json").write_text('{"result": "PASSED"}')
    fleet = {"dev": REPO, "staging": "ghcr.io/staging/fraud", "production": "ghcr.io/production/fraud"}
    world.config = {"fleet": {"fraud": fleet}, "trust": [{"name": "me", "key": str(work / "me.pub")}]}
    world.prepare()


def before_the_gate(world: World) -> None:
    """A challenger, and a gate that it does not pass yet."""
    assert world.run(f"kittui tag {REPO}:v0.9.0 challenger --yes").status == 0
    keys(world.folder / "home" / "keys", "carla")
    world.config |= {
        "trust": [
            {"name": "me", "key": str(world.folder / "work" / "me.pub")},
            {"name": "Carla", "key": "~/keys/carla.pub"},
        ],
        "gates": [
            {
                "move": "challenger -> champion",
                "repositories": ["registry.acme.dev/acme/*"],
                "enforce": True,
                "approved_by": {"count": 1, "people": ["Carla"]},
            }
        ],
    }
    world.prepare()


def for_training(world: World) -> None:
    """Two machines with the chapter's configuration; the second has the public keys alone. Anna makes her own."""
    [text] = re.findall(r"```yaml\n(.*?)```", chapter("docs/guide.md: From training to production").text, re.DOTALL)
    world.config = yaml.safe_load(text)
    world.prepare()
    keys(world.folder / "home" / "keys", *(name for name in PEOPLE if name != "anna"))


def after_the_keys(world: World) -> None:
    """What an administrator hands out: the public keys."""
    for path in (world.folder / "home" / "keys").glob("*.pub"):
        shutil.copy(path, world.folder / "elsewhere" / "keys")


def for_the_record(world: World) -> None:
    """Somebody whose key counts has promoted here."""
    keys(world.folder / "home" / "keys", "ops")
    world.config = {"trust": [{"name": "ops", "key": "~/keys/ops.pub"}], "signing_key": "~/keys/ops.pem"}
    world.prepare()
    assert world.run(f"kittui promote {REPO} --yes").status == 0


PREPARED: dict[str, Callable[[World], None]] = {
    "docs/guide.md: Looking around": for_looking_around,
    "docs/guide.md: Reviewing a challenger": for_reviewing,
    "docs/guide.md: Operating a registry": for_operating,
    "docs/guide.md: From training to production": for_training,
    "docs/record.md: Where it is": for_the_record,
}
"""What is there before a chapter's first line."""
BETWEEN: dict[tuple[str, int], Callable[[World], None]] = {
    ("docs/guide.md: Operating a registry", 16): before_the_gate,
    ("docs/guide.md: From training to production", 2): after_the_keys,
}
"""What happens before a line, by its number, that the text around it tells of."""


def chapter(name: str) -> Chapter:
    """A chapter by its name."""
    return next(each for each in CHAPTERS if each.name == name)


def test_every_line_of_every_page_is_run() -> None:
    assert [each.name for each in CHAPTERS if each.name not in SAYS] == []
    for each in CHAPTERS:
        lines = [line.partition(" #")[0].strip() for line in each.lines]
        begins = [begin for begin, _ in SAYS[each.name]]
        assert [line[: len(begin)] for line, begin in zip(lines, begins, strict=False)] == begins, each.name
        assert len(lines) == len(begins), f"{each.name}: say in SAYS what its lines print: {lines[len(begins) :]}"
    assert {*SAYS, *NOT_RUN} == {each.name for page in PAGES for each in chapters(page)}


@pytest.mark.real
@pytest.mark.parametrize("name", SAYS)
def test_a_chapter_does_what_it_says(name: str, world: World, registry: DockerRegistry) -> None:
    PREPARED.get(name, as_it_is)(world)
    for number, (line, (_, says)) in enumerate(zip(chapter(name).lines, SAYS[name], strict=True)):
        BETWEEN.get((name, number), as_it_is)(world)
        if line.startswith("cosign ") and shutil.which("cosign") is None:
            continue
        ran = world.run(line, says)
        assert ran.status == (1 if "exit status 1" in line else 0), (line, ran.out[-2000:], ran.err[-2000:])
        assert world.said(says) in ran.out + ran.err, (line, ran.out[-2000:], ran.err[-2000:])


@pytest.mark.real
def test_the_stages_move_in_the_chapter_from_training_to_production_as_it_says(world: World) -> None:
    name = "docs/guide.md: From training to production"
    for_training(world)
    champions = []
    for number, line in enumerate(chapter(name).lines):
        BETWEEN.get((name, number), as_it_is)(world)
        world.run(line)
        champions.append(world.run(f"kittui show {REPO}:champion --json").json["digest"][7:19])
    old, new = "ed4feb3a3b50", "328ce35705be"
    assert champions == [old] * 8 + [new] * 4 + [old] + [new] * 2


@pytest.mark.parametrize(
    "name",
    ["docs/guide.md: Looking around", "docs/guide.md: Variants", "docs/guide.md: Reviewing a challenger",
     "docs/guide.md: Scripts"],
)  # fmt: skip
def test_the_commands_work_on_the_demo_in_place_of_the_registry(name: str, tmp_path: Path) -> None:
    demo(tmp_path / "demo")
    models = f"oci:{tmp_path}/demo/models"
    world = World(tmp_path, {"registry.acme.dev": models, "ghcr.io": models, "oci:/mnt/disk": models})
    world.prepare()
    if "Reviewing" in name:
        for_reviewing(world)
    for line, (_, says) in zip(chapter(name).lines, SAYS[name], strict=True):
        ran = world.run(line, says.replace("disk", "demo"))
        assert ran.status == 0, (line, ran.err[-2000:])
        assert says.replace("disk", "demo") in ran.out + ran.err, (line, ran.out[-2000:], ran.err[-2000:])
