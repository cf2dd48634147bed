"""Shared by commands that work with indexes: the option that chooses a variant, and a table of variants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.compare.as_json import plain
from kittui.formats.exact_json import parse_json
from kittui.modelkit.variants import Variant, label_keys, parse_labels
from kittui.oci.target import Target
from kittui.terminal import size_text
from kittui.usecases.browse.places import DEFAULT_TAG, Located
from kittui.usecases.browse.variants import chosen, one_modelkit

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def labels_option(function: Decorated) -> Decorated:
    """The repeatable option `-l LABEL=VALUE`, which chooses a variant."""
    return click.option(
        "-l",
        "--label",
        "labels",
        multiple=True,
        metavar="LABEL=VALUE",
        help="Choose an index's variant by this label; repeat it to narrow the choice.",
    )(function)


async def target_of(call: Call, located: Located, labels: Sequence[str], *, one: bool = False) -> Target:
    """The tag or digest to work on: that of the variant with these labels; with `one`, never an index."""
    find = one_modelkit if one else chosen
    target = located.target or DEFAULT_TAG
    return await find(call.composition.modelkits, located.repository, target, parse_labels(labels))


def variant_document(variant: Variant, size: int | None = None) -> dict[str, Any]:
    """A variant as JSON: its descriptor, its labels, and the bytes of its layers if requested."""
    found = {
        **variant.descriptor.to_json(),
        "labels": {key: plain(parse_json(raw)) for key, raw in variant.raw.items()},
    }
    return found if size is None else {**found, "content_size": size}


def print_variants(call: Call, variants: Sequence[Variant], sizes: Mapping[str, int | None] | None = None) -> None:
    """A row for each variant, a column for each label."""
    keys = label_keys(variants)
    noted = any(one.descriptor.annotations for one in variants)
    rows: list[Sequence[Styled]] = []
    for one in variants:
        notes = ", ".join(f"{key}: {value}" for key, value in one.descriptor.annotations.items())
        row: list[Styled] = [one.labels.get(key, "") for key in keys]
        row += [size_text(sizes[one.descriptor.digest])] if sizes is not None else []
        rows.append([*row, one.descriptor.digest, *([(notes, "dim")] if noted else [])])
    header = [*keys, *(["SIZE"] if sizes is not None else []), "DIGEST", *(["ANNOTATIONS"] if noted else [])]
    call.printer.table(header, rows, right=(len(keys),) if sizes is not None else ())
