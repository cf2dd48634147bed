"""Finding layers, diffIds and files over sources."""

from __future__ import annotations

from pathlib import Path

from kittui.oci.tag import Tag
from kittui.store import LocalSource
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.find import Finder, Match, Place, Problem, Query
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import two
from tests.demo.pack import File

FIXTURES = Path(__file__).parent.parent / "fixtures"
VALIDATION = "sha256:994e169f3e484af29fa9543df8799948c9521445c1e17682f6f4dbb0b09b099d"


async def find(text: str, *places: Place) -> tuple[set[tuple[str, str | None, str]], list[Problem]]:
    source = LocalSource(FIXTURES / "kithome")
    matches: set[tuple[str, str | None, str]] = set()
    problems: list[Problem] = []
    finder = Finder(ModelKits(), Inspector())
    async for found in finder.search(Query.parse(text), places or [Place(source)]):
        if isinstance(found, Match):
            matches.add((found.repository.name, found.tag, found.what))
        else:
            problems.append(found)
    return matches, problems


async def test_a_layer_is_found_in_every_modelkit_that_holds_it() -> None:
    found, problems = await find(VALIDATION)
    tags = {tag for name, tag, _ in found if name == "127.0.0.1:5055/fraud"}
    assert tags == {"challenger", "champion", "rollback", "v0.9.0", "v1.0.0", "v1.1.0"}
    assert ("myorg/fraud", "prod", "layer") in found
    assert not problems


async def test_content_is_found_under_every_compression_by_its_diff_id() -> None:
    source = LocalSource(FIXTURES / "kithome")
    repository = source.repository("127.0.0.1:5055/sentiment")
    plain = (await ModelKits().open(repository, Tag("v2.0.0-none"))).layers[0]
    found, _ = await find(plain.digest)
    assert {(tag, what) for _, tag, what in found} == {
        ("latest", "diff_id"),
        ("v2.0.0", "diff_id"),
        ("v2.0.0-fastest", "diff_id"),
        ("v2.0.0-none", "layer"),
    }


async def test_files_are_found_by_name_path_and_pattern_in_compressed_layers_too() -> None:
    by_name, _ = await find("tuning.csv")
    assert by_name == {("127.0.0.1:5055/fraud", "tuning", "file")}
    assert (await find("data/tuning.csv"))[0] == by_name
    assert (await find("*uning.csv"))[0] == by_name
    assert (await find("uning.csv"))[0] == set()
    shards, _ = await find("model-00001-of-*.safetensors")
    assert {tag for _, tag, _ in shards} == {"latest", "v2.0.0", "v2.0.0-fastest", "v2.0.0-none"}


async def test_one_repository_or_modelkit_can_be_searched() -> None:
    source = LocalSource(FIXTURES / "kithome")
    found, _ = await find(VALIDATION, Place(source, "127.0.0.1:5055/fraud", Tag("champion")))
    assert found == {("127.0.0.1:5055/fraud", "champion", "layer")}
    missing, problems = await find(VALIDATION, Place(source, "127.0.0.1:5055/fraud", Tag("nope")))
    assert not missing
    assert len(problems) == 1


async def test_a_file_is_found_whose_name_reads_as_a_value() -> None:
    files = {"model/epoch=3-step=100.ckpt": File(b"x"), "model/plain.ckpt": File(b"y")}
    repository = two(files, {"model/license=MIT": File(b"z")}, ("none", "gzip"))
    places = [Place(repository.source, repository.name)]

    async def names(text: str) -> list[tuple[str | None, str, str]]:
        finder = Finder(ModelKits(), Inspector())
        progress = finder.progress
        found = [one async for one in finder.search(Query.parse(text), places)]
        matches = [one for one in found if isinstance(one, Match)]
        assert matches == found
        assert (progress.repositories, progress.modelkits) == (1, 2)
        return [(one.tag, one.what, one.entry.path if one.entry else "=".join(one.value or ())) for one in matches]

    ckpt = ("a", "file", "model/epoch=3-step=100.ckpt")
    assert await names("epoch=3-step=100.ckpt") == [ckpt]
    assert await names("./model//epoch=3-step=100.ckpt") == [ckpt]
    assert await names("epoch=*.ckpt") == [ckpt]
    assert await names("epoch=4.ckpt") == []
    assert await names("epoch=") == []
    assert await names("license=MIT") == [("b", "file", "model/license=MIT")]
    assert await names("name=") != []


async def test_what_can_not_be_read_is_said_once_for_a_value_and_a_file() -> None:
    source = LocalSource(FIXTURES / "kithome")
    found, problems = await find("epoch=3.ckpt", Place(source, "127.0.0.1:5055/fraud", Tag("nope")))
    assert not found
    assert len(problems) == 1
