"""How commands print the tensors of a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kittui.cli.output import Printer, Styled
from kittui.formats.weights import Tensor
from kittui.terminal import counted, size_text
from kittui.usecases.inspect.models import ListedModel, Model, Shard


def model_document(listed: ListedModel) -> dict[str, Any]:
    """A model as JSON: sizes in bytes; `file` of a tensor names the shard it is in."""
    entry, model = listed.found.entry, listed.model
    document: dict[str, Any] = {"path": entry.path, "layer": listed.found.layer.digest}
    if model is None:
        return {**document, "problem": listed.error.message if listed.error is not None else None, "tensors": []}
    weights = model.weights
    return {
        **document,
        "format": weights.format,
        "parameters": weights.parameters,
        "bytes": weights.nbytes,
        "dtypes": weights.dtypes,
        "metadata": {str(key): _plain(value) for key, value in weights.metadata.items()},
        "problem": weights.problem,
        "notes": list(weights.notes),
        "verified": model.verified,
        "shards": [_shard(shard) for shard in model.shards],
        "tensors": [_tensor(tensor) for tensor in weights.tensors],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        # JSON has no infinity or NaN.
        return value if value - value == 0 else str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def _shard(shard: Shard) -> dict[str, Any]:
    return {
        "file": shard.file,
        "path": shard.found.entry.path if shard.found is not None else None,
        "layer": shard.found.layer.digest if shard.found is not None else None,
        "tensors": shard.tensors,
        "bytes": shard.nbytes,
        "problem": shard.problem,
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "parameters": tensor.parameters,
        "bytes": tensor.nbytes,
        "offset": tensor.offset,
        "file": tensor.file,
        "member": tensor.member,
        "problem": tensor.problem,
    }


def print_models(printer: Printer, models: Sequence[ListedModel]) -> None:
    """Print totals and tensors of each model, one per line."""
    for listed in models:
        printer.line(("Tensors  ", "bold"), listed.found.entry.path)
        if listed.model is None:
            printer.line("  ", (f"! {listed.error.message if listed.error is not None else ''}", "red"))
        else:
            _print(printer, listed.model)


def _print(printer: Printer, model: Model) -> None:
    weights = model.weights
    kinds = ", ".join(f"{name} {count:,}" for name, count in weights.dtypes.items())
    counts = weights.counts
    printer.line(f"  {weights.format}: {counts}", (f"  {kinds}" if kinds else "", "dim"))
    for note in weights.notes:
        printer.line("  ", (note, "dim"))
    if weights.problem:
        printer.line("  ", (f"! {weights.problem}", "red"))
    for shard in model.shards:
        reason = (f"  ! {shard.problem}", "red") if shard.problem else ""
        printer.line(f"  {shard.file}  {counted(shard.tensors, 'tensor')}  {size_text(shard.nbytes)}", reason)
    places = any(tensor.file for tensor in weights.tensors)
    rows: list[list[Styled]] = []
    for tensor in weights.tensors:
        shape = "x".join(str(size) for size in tensor.shape)
        size = size_text(tensor.nbytes) if tensor.nbytes is not None else "?"
        rows.append([f"  {tensor.name}", tensor.dtype, shape, size])
        if places:
            rows[-1].append(tensor.file or "")
        rows[-1].append((f"! {tensor.problem}" if tensor.problem else "", "red"))
    header = ["  tensor", "type", "shape", "size", *(["file"] if places else []), ""]
    if rows:
        printer.table(header, rows, right=[3])
