"""The bill of materials: of the published form for any ModelKit, and with what the Kitfile says."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.modelkit.modelkit import ModelKit
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import KIT_CONFIG, OCI_MANIFEST
from kittui.oci.tag import Tag
from kittui.store import LocalSource
from kittui.trust.statements import BOM
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.trust.bom import bom_of
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry

KEYS = Path(__file__).parent.parent / "fixtures" / "signed" / "keys"


@cache
def validator() -> Callable[[str], object]:
    # Importing it takes seconds, which every worker would pay that collects this file.
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    return JsonStrictValidator(SchemaVersion.V1_7).validate_str


def check(document: dict[str, Any]) -> None:
    problem = validator()(json.dumps(document))
    assert problem is None, str(problem)[:2000]


async def test_every_kit_in_the_store(kithome: Path) -> None:
    source, kits = LocalSource(kithome), ModelKits()
    names = [entry.name async for page in source.repositories() for entry in page]
    seen = 0
    for name in names:
        repository = source.repository(name)
        async for page in repository.tags():
            for entry in page:
                if entry.descriptor is not None:
                    kit = await kits.open(repository, entry.descriptor.digest)
                    check(bom_of(kit, name, f"oci://{name}@{kit.digest}" if "/" in name else ""))
                    seen += 1
    assert seen > 5


async def test_what_it_says(kithome: Path) -> None:
    repository = LocalSource(kithome).repository("127.0.0.1:5055/fraud")
    kit = await ModelKits().open(repository, Tag("v1.0.0"))
    document = bom_of(kit, "127.0.0.1:5055/fraud", "oci://127.0.0.1:5055/fraud")
    assert document == bom_of(kit, "127.0.0.1:5055/fraud", "oci://127.0.0.1:5055/fraud")
    root = document["metadata"]["component"]
    assert (root["type"], root["name"], root["version"]) == ("machine-learning-model", kit.name, kit.version)
    assert root["hashes"] == [{"alg": "SHA-256", "content": kit.digest.hex}]
    by_type: dict[str, list[Any]] = {}
    for component in document["components"]:
        by_type.setdefault(component["type"], []).append(component)
    (model,) = by_type["machine-learning-model"]
    datasets = {component["bom-ref"] for component in by_type["data"]}
    assert {one["ref"] for one in model["modelCard"]["modelParameters"]["datasets"]} == datasets
    hashes = {component["hashes"][0]["content"] for component in document["components"]}
    assert hashes == {layer.digest.hex for layer in kit.layers}
    assert document["dependencies"][0]["dependsOn"] == [one["bom-ref"] for one in document["components"]]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
ENTRY = st.dictionaries(st.sampled_from(["name", "path", "license", "description", "version"]), JSON, max_size=4)


@settings(max_examples=60)
@given(
    st.fixed_dictionaries(
        {
            "package": ENTRY | st.fixed_dictionaries({"authors": st.lists(st.text()), "license": st.text()}),
            "model": st.fixed_dictionaries({"path": st.just("m"), "parameters": JSON, "framework": JSON}),
            "datasets": st.lists(ENTRY, max_size=2) | JSON,
        }
    )
)
def test_any_kitfile_gives_a_valid_document(kitfile: dict[str, Any]) -> None:
    config = json.dumps(kitfile).encode()
    types = ("model", "dataset", "code")
    layers = [
        {"mediaType": f"application/vnd.kitops.modelkit.{kind}.v1.tar", "digest": f"sha256:{n * 64}", "size": 5}
        for kind, n in zip(types, "abc", strict=True)
    ]
    head = {"mediaType": KIT_CONFIG, "digest": f"sha256:{'d' * 64}", "size": len(config)}
    raw = json.dumps({"schemaVersion": 2, "config": head, "layers": layers}).encode()
    kit = ModelKit.parse(Manifest.parse(raw, OCI_MANIFEST), config)
    check(bom_of(kit, "host/repo", "oci://host/repo"))


@pytest.mark.real
def test_the_command_writes_and_attaches_it(run: Run, kit_registry: DockerRegistry) -> None:
    reference = f"{kit_registry.host}/fraud:champion"
    document = run("bom", reference).out
    check(json.loads(document))
    assert run("bom", reference, "--attach", "--key", str(KEYS / "p256.pem")).out == document
    words = ("--public-key", str(KEYS / "p256.pub"), "--type", "cyclonedx", "--show", "--json")
    (one,) = run("verify", reference, *words).json["signatures"]
    assert (one["type"], one["predicate"]) == (BOM, json.loads(document))
