"""Reads sharded models: an index beside the shards maps each tensor to its file (Hugging Face's `save_pretrained`).

`model.safetensors.index.json` and `pytorch_model.bin.index.json` hold `weight_map`, tensor name -> file name, and
`metadata` with `total_size` in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.need import Steps, fetch_exactly
from kittui.formats.weights import Tensor, Weights

SUFFIXES = (".safetensors.index.json", ".bin.index.json")
"""The ending of shard indexes' names."""
FORMAT = "shard index"
"""The format name of an index before it is joined with its shards."""
INDEX_LIMIT = 64 * 1024 * 1024
"""Bytes of an index read at most."""
SHARDS_LIMIT = 10_000
"""Shards of one model at most."""
_NAMED = 5
_NUMBERED = re.compile(r"(.+)-(\d{1,9})-of-(\d{1,9})(\.[A-Za-z]+)\Z")


def is_shard_index(path: str) -> bool:
    """Whether a file's name is that of a shard index."""
    return path.lower().endswith(SUFFIXES)


def read_shard_index(size: int, budget: Budget) -> Steps[Weights]:
    """Read an index of `size` bytes as tensors with only name and shard (`file`); raises Malformed."""
    if size > INDEX_LIMIT:
        raise Malformed(f"the shard index has {size} bytes; at most {INDEX_LIMIT} are read")
    return parse_shard_index((yield from fetch_exactly(0, size, "the shard index")), budget)


def parse_shard_index(raw: bytes, budget: Budget) -> Weights:
    """Parse the JSON of an index; raises Malformed, also for shard names that lead out of its folder."""
    from kittui.formats.safetensors import load_object

    document = load_object(raw, "the shard index", budget)
    where, metadata = document.get("weight_map"), document.get("metadata", {})
    if not isinstance(where, dict) or not all(_is_name(value) for value in where.values()):
        raise Malformed("the shard index has no usable weight_map")
    budget.spend("tensors", len(where))
    if len(set(where.values())) > SHARDS_LIMIT:
        raise Malformed(f"the shard index lists more than {SHARDS_LIMIT} shards")
    tensors = tuple(Tensor(name, "?", (), file=file) for name, file in where.items())
    return Weights(FORMAT, tensors, metadata if isinstance(metadata, dict) else {})


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value not in ("", ".", "..") and not set(value) & set("/\\\0")


def shard_names(index: Weights) -> list[str]:
    """The files that an index names, each once, sorted by name."""
    return sorted({tensor.file for tensor in index.tensors if tensor.file is not None})


@dataclass(frozen=True, slots=True)
class ShardHeader:
    """One shard's header, or None; `problem` says what is wrong with the shard or its place."""

    weights: Weights | None
    problem: str | None = None


def join_shards(index: Weights, headers: Mapping[str, ShardHeader], spare: Sequence[str] = ()) -> Weights:
    """Join all tensors of a sharded model in one list; each has its shard in `file`, and its place in that shard.

    `headers` has an entry for each of `shard_names`; `spare` are shards beside them that the index does not mention.
    Contradictions are marked on the tensor and summed up in `problem`.
    """
    where = {tensor.name: tensor.file for tensor in index.tensors}
    held: dict[str, str] = {}
    tensors: list[Tensor] = []
    for file in shard_names(index):
        found = headers[file].weights
        for tensor in found.tensors if found is not None else ():
            tensors.append(
                tensor._replace(file=file, problem=tensor.problem or _astray(tensor.name, file, where, held))
            )
            held.setdefault(tensor.name, file)
    lacking = [_lacking(tensor, headers) for tensor in index.tensors if tensor.name not in held]
    joined = [header.weights for header in headers.values() if header.weights is not None]
    nbytes = sum(tensor.nbytes or 0 for tensor in tensors)
    return Weights(
        ", ".join(sorted({weights.format for weights in joined})) or FORMAT,
        (*tensors, *lacking),
        {**_common(joined), **index.metadata},
        _summary(headers, spare, tensors, lacking),
        tuple(_notes(index, headers, nbytes, whole=len(joined) == len(headers))),
    )


def split_names(path: str, weights: Weights) -> list[str]:
    """The files of a split GGUF model, from the name and metadata of one of them; empty if it is not split."""
    match = _NUMBERED.match(path.rpartition("/")[2])
    count = weights.metadata.get("split.count")
    if weights.format != "gguf" or match is None or not isinstance(count, int) or count != int(match[3]):
        return []
    if not 1 < count <= SHARDS_LIMIT:
        return []
    width = len(match[3])
    return [f"{match[1]}-{number:0{width}}-of-{match[3]}{match[4]}" for number in range(1, count + 1)]


def split_kin(path: str) -> tuple[str, str, str] | None:
    """A key shared by the names of all parts of one split GGUF model; None for other files."""
    match = _NUMBERED.match(path)
    return (match[1], match[3], match[4]) if match is not None and match[4].lower() == ".gguf" else None


def join_split(headers: Mapping[str, ShardHeader]) -> Weights:
    """Join all tensors of a split GGUF model in one list; the first file has the metadata of all."""
    joined = {file: header.weights for file, header in headers.items() if header.weights is not None}
    tensors = [tensor._replace(file=file) for file, weights in joined.items() for tensor in weights.tensors]
    metadata: dict[str, Any] = {}
    for weights in joined.values():
        metadata = {**weights.metadata, **metadata}
    said: list[str] = []
    absent = [f"{file} {header.problem or 'is missing'}" for file, header in headers.items() if header.weights is None]
    if absent:
        said.append(f"{len(joined)} of {len(headers)} parts can be read: {listed(absent)}")
    said += [f"{file}: {problem}" for file, header in headers.items() if header.weights and (problem := header.problem)]
    said += [f"{file}: {weights.problem}" for file, weights in joined.items() if weights.problem][:_NAMED]
    wrong = [
        file for number, (file, weights) in enumerate(headers.items())
        if weights.weights is not None and weights.weights.metadata.get("split.no") != number
    ]  # fmt: skip
    if wrong:
        said.append(f"{listed(wrong)}: not the part that the name says")
    total = metadata.get("split.tensors.count")
    if not absent and isinstance(total, int) and total != len(tensors):
        said.append(f"the model says that it has {total} tensors, its parts have {len(tensors)}")
    notes = [note for weights in joined.values() for note in weights.notes]
    return Weights(
        "gguf", tuple(tensors), metadata, "; ".join(said) or None, (f"{len(headers)} parts", *dict.fromkeys(notes))
    )


def _astray(name: str, file: str, where: Mapping[str, str | None], held: Mapping[str, str]) -> str | None:
    if name not in where:
        return "the index does not name it"
    if where[name] != file:
        return f"the index says that it is in {where[name]}"
    if name in held:
        return f"it is in {held[name]} too"
    return None


def _lacking(tensor: Tensor, headers: Mapping[str, ShardHeader]) -> Tensor:
    header = headers[tensor.file or ""]
    if header.weights is None:
        return tensor._replace(problem=f"its shard {tensor.file} {header.problem or 'is missing'}")
    return tensor._replace(problem=f"its shard {tensor.file} does not hold it")


def _common(joined: Sequence[Weights]) -> dict[str, Any]:
    """The metadata that is the same in all shards."""
    if not joined:
        return {}
    first, *others = joined
    missing = object()
    return {
        key: value
        for key, value in first.metadata.items()
        if all(other.metadata.get(key, missing) == value for other in others)
    }


def _summary(
    headers: Mapping[str, ShardHeader], spare: Sequence[str], tensors: Sequence[Tensor], lacking: Sequence[Tensor]
) -> str | None:
    said: list[str] = []
    absent = [file for file, header in headers.items() if header.weights is None]
    if absent:
        said.append(f"{len(headers) - len(absent)} of {len(headers)} shards can be read, not {listed(absent)}")
    said += [f"{file} {header.problem}" for file, header in headers.items() if header.weights and header.problem][
        :_NAMED
    ]
    if spare:
        said.append(f"{listed(spare)} beside them is in no line of the index")
    claims = {int(match[3]) for file in headers if (match := _NUMBERED.match(file))}
    if len(claims) > 1 or (claims and claims != {len(headers)}):
        counts = " and ".join(str(count) for count in sorted(claims)[:_NAMED])
        said.append(f"the names of the shards say that there are {counts}, the index names {len(headers)}")
    elsewhere = sum(tensor.problem is not None for tensor in tensors)
    if elsewhere:
        said.append(f"{elsewhere} tensors are not as the index or their header says")
    lost = sum(headers[tensor.file or ""].weights is not None for tensor in lacking)
    if lost:
        said.append(f"{lost} tensors are not in the shard that the index names")
    return "; ".join(said) or None


def _notes(index: Weights, headers: Mapping[str, ShardHeader], nbytes: int, *, whole: bool) -> Iterable[str]:
    yield f"{len(headers)} shards"
    total = index.metadata.get("total_size")
    if whole and isinstance(total, int) and total != nbytes:
        yield f"the index says {total} bytes in all, the shards hold {nbytes}"


def is_sibling(file: str, names: Iterable[str]) -> bool:
    """Whether a file's name marks it as a shard of the same model: equal except for the number."""
    match = _NUMBERED.match(file)
    if match is None:
        return False
    kin = {(other[1], other[4]) for name in names if (other := _NUMBERED.match(name))}
    return (match[1], match[4]) in kin


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
