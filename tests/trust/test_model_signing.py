"""model.sig of OpenSSF Model Signing, made by its own implementation, against the files of a layer."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from kittui.modelkit import ModelKit
from kittui.oci.tag import Tag
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.keys import load_public_key
from kittui.trust.model_signing import read_model_signature
from kittui.trust.signing import public_key
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.trust.model_files import ModelCheck, all_hold, check_models
from tests.fakes.memory import MemorySource

FOLDER = Path(__file__).parent.parent / "fixtures" / "model_signing"
KEY = load_public_key((FOLDER.parent / "model_signing_key.pub").read_bytes())
KEYRING = Keyring((TrustedKey("CI", KEY),))
TYPE = "application/vnd.kitops.modelkit.model.v1.tar"


def files() -> dict[str, bytes]:
    """The model as model-signing signed it."""
    return {str(path.relative_to(FOLDER)): path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}


def packed(content: Mapping[str, bytes], links: Mapping[str, str] = {}) -> bytes:
    """The files in the folder `model` as a tar; links come first."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, target in links.items():
            info = tarfile.TarInfo(f"model/{name}")
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
        for name, raw in content.items():
            info = tarfile.TarInfo(name if name.startswith("/") else f"model/{name}")
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    return stream.getvalue()


async def checked(
    content: Mapping[str, bytes],
    keyring: Keyring = KEYRING,
    *more: bytes,
    compressed: bool = False,
    links: Mapping[str, str] = {},
) -> tuple[ModelCheck, ...]:
    """Pack the files into a layer of a registry, with `more` layers after it, and check them there."""
    raw = packed(content, links)
    repository = MemorySource().repository("fraud")
    layer = (TYPE + "+gzip", gzip.compress(raw)) if compressed else (TYPE, raw)
    layers = [layer, *((TYPE, one) for one in more)]
    repository.add_kit("fraud", "champion", layers=layers, model={"path": "model"})
    kit: ModelKit = await ModelKits().open(repository, Tag("champion"))
    return await check_models(Inspector(), repository, kit, keyring)


@pytest.mark.parametrize("compressed", [False, True])
async def test_what_model_signing_signed_holds(compressed: bool) -> None:
    (check,) = found = await checked(files(), compressed=compressed)
    assert (check.path, check.status, check.signer, check.files) == ("model/model.sig", "verified", "CI", 3)
    assert all_hold(found)


async def test_a_changed_missing_or_added_file_is_named() -> None:
    good = files()
    flipped = {**good, "weights.bin": b"Weights\n"}
    for content, said in (
        (flipped, "weights.bin is not what was signed"),
        ({name: raw for name, raw in good.items() if name != "sub/vocab.txt"}, "sub/vocab.txt is missing"),
        ({**good, "evil.py": b"import os"}, "evil.py is not among the signed files"),
    ):
        (check,) = found = await checked(content)
        assert (check.status, said in check.reason) == ("invalid", True), check.reason
        assert not all_hold(found)
    (check,) = await checked(
        {name: raw for name, raw in good.items() if name != "config.json"}, links={"config.json": "x"}
    )
    assert (check.status, "config.json is a symlink" in check.reason) == ("invalid", True), check.reason


async def test_what_lies_over_the_signed_files_once_unpacked_is_named() -> None:
    good, other = files(), {"weights.bin": b"other"}
    for content, more, links, said in (
        (good, [packed(other)], {}, "model/weights.bin is in two layers"),
        (good, [packed({"evil.py": b"x"})], {}, "evil.py is not among the signed files"),
        ({**good, "/model/weights.bin": b"other"}, [], {}, "is outside of the folder it is unpacked to"),
        ({**good, "x/../weights.bin": b"other"}, [], {}, "is outside of the folder it is unpacked to"),
        ({**good, ".git/weights.bin": b"other"}, [], {".git": "."}, "leads through model/.git"),
        (good, [packed({".git/weights.bin": b"other"})], {".git": "."}, "leads through model/.git"),
    ):
        (check,) = found = await checked(content, KEYRING, *more, links=links)
        assert (check.status, said in check.reason) == ("invalid", True), check.reason
        assert not all_hold(found)


async def test_the_signed_files_may_be_in_layers_of_their_own() -> None:
    good = files()
    first = {name: raw for name, raw in good.items() if name != "config.json"}
    (check,) = await checked(first, KEYRING, packed({"config.json": good["config.json"]}))
    assert (check.status, check.files) == ("verified", 3)


async def test_what_the_signer_left_out_is_left_out() -> None:
    (check,) = await checked({**files(), ".git/config": b"x", ".gitignore": b"y"})
    assert check.status == "verified"


async def test_other_keys_and_changed_statements_prove_nothing() -> None:
    other = Keyring((TrustedKey("Mallory", public_key(ec.generate_private_key(ec.SECP256R1()))),))
    (check,) = await checked(files(), other)
    assert (check.status, check.files) == ("unknown key", 0)
    document = json.loads(files()["model.sig"])
    envelope = document["dsseEnvelope"]
    payload = json.loads(base64.b64decode(envelope["payload"]))
    payload["predicate"]["resources"].pop()
    envelope["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    (check,) = await checked({**files(), "model.sig": json.dumps(document).encode()})
    assert (check.status, check.reason) == ("invalid", "it is about another digest")


@pytest.mark.parametrize(
    "resources",
    ["x", [1], [{"name": "a", "algorithm": "sha256", "digest": "zz"}], [{"name": "a", "digest": "0" * 64}] * 2],
)
async def test_lists_of_wrong_types_are_invalid(resources: object) -> None:
    document = json.loads(files()["model.sig"])
    payload = json.loads(base64.b64decode(document["dsseEnvelope"]["payload"]))
    payload["predicate"]["resources"] = resources
    document["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(payload).encode()).decode()
    assert read_model_signature(json.dumps(document).encode(), KEYRING).verdict.status == "invalid"


async def test_without_a_signature_nothing_holds() -> None:
    found = await checked({"weights.bin": b"w"})
    assert found == ()
    assert not all_hold(found)


def test_a_key_whose_time_is_over_is_said() -> None:
    keyring = Keyring((TrustedKey("CI", KEY, until=datetime(2026, 1, 1, tzinfo=UTC)),))
    assert read_model_signature(files()["model.sig"], keyring).verdict.status == "no longer trusted"
