"""Writes the catalogue as Markdown, HTML and CSV, with all foreign text escaped for its readers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from html import escape

from kittui.compare.markdown import escape as in_markdown
from kittui.terminal import clean, size_text
from kittui.usecases.trust.catalogue import Catalogue, Listed
from kittui.usecases.trust.chain import TagEvent
from kittui.usecases.trust.words import signed_text

COLUMNS = (
    "repository", "tags", "stages", "name", "version", "created", "licenses", "authors", "framework", "datasets",
    "metrics", "signed", "approvals", "size", "digest", "problem",
)  # fmt: skip
_FORMULAS = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
"""Characters that may begin a formula; spreadsheets also accept the full-width forms."""
_MOVES = ("time", "tag", "action", "by", "before", "after", "proof", "reason")


def _cells(kit: Listed) -> tuple[str, ...]:
    return (
        kit.repository,
        ", ".join(kit.tags),
        ", ".join(kit.stages),
        kit.name,
        kit.version,
        kit.created,
        ", ".join(kit.licenses),
        ", ".join(kit.authors),
        kit.framework,
        ", ".join(kit.datasets),
        ", ".join(f"{key}={value}" for key, value in kit.metrics.items()),
        signed_text(kit.signed, kit.signers),
        "; ".join(kit.approvals),
        size_text(kit.size),
        kit.digest or "",
        kit.problem,
    )


def _move(event: TagEvent) -> tuple[str, ...]:
    time = f"{event.since} .. {event.time}" if event.since else event.time
    proof = event.vouched or event.source
    ends = [end.partition(":")[2][:12] if end else "none" for end in (event.before, event.after)]
    return (time, event.tag, event.action, event.actor, *ends, proof, "; ".join((event.reason, *event.overridden)))


def _tables(catalogue: Catalogue) -> Iterator[tuple[str, Sequence[str], list[tuple[str, ...]]]]:
    yield "ModelKits", COLUMNS, [_cells(kit) for kit in catalogue.kits]
    datasets: list[tuple[str, ...]] = [
        (", ".join(one.names), str(len(one.models)), ", ".join(one.models), one.digest) for one in catalogue.datasets
    ]
    yield "Datasets, and what was trained with them", ("dataset", "ModelKits", "which", "digest"), datasets
    for history in catalogue.histories:
        if history.events:
            yield f"Moves in {history.repository}", _MOVES, [_move(event) for event in history.events]
    if catalogue.problems:
        yield "What could not be read", ("problem",), [(problem,) for problem in catalogue.problems]


def to_csv(catalogue: Catalogue) -> str:
    """Write the ModelKits as CSV. Cells that a spreadsheet would run as a formula get an apostrophe in front."""
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(COLUMNS)
    for kit in catalogue.kits:
        writer.writerow([_inert(cell) for cell in _cells(kit)])
    return output.getvalue()


def _inert(text: str) -> str:
    text = clean(text)
    return f"'{text}" if text.lstrip().startswith(_FORMULAS) else text


def to_markdown(catalogue: Catalogue) -> str:
    """Write the catalogue as Markdown tables."""
    parts = [f"# ModelKits, {catalogue.made}\n"]
    for title, header, rows in _tables(catalogue):
        parts.append(f"## {in_markdown(title)}\n\n| {' | '.join(header)} |\n|{' --- |' * len(header)}")
        parts += [f"| {' | '.join(in_markdown(cell) for cell in row)} |" for row in rows]
        parts.append("")
    return "\n".join(parts) + "\n"


_STYLE = (
    ":root{color-scheme:light dark}body{font:14px/1.5 system-ui,sans-serif;margin:2rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{text-align:left;vertical-align:top;padding:.2rem .7rem .2rem 0;"
    "border-bottom:1px solid #8885;overflow-wrap:anywhere}"
)


def to_html(catalogue: Catalogue) -> str:
    """Write the catalogue as one self-contained page: no scripts, no fetched styles, all text escaped."""
    body = "".join(
        f"<h2>{escape(clean(title))}</h2><table><tr>{''.join(f'<th>{name}</th>' for name in header)}</tr>"
        + "".join(f"<tr>{''.join(f'<td>{escape(clean(cell))}</td>' for cell in row)}</tr>" for row in rows)
        + "</table>"
        for title, header, rows in _tables(catalogue)
    )
    return (
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>ModelKits</title><style>{_STYLE}</style></head><body><h1>ModelKits, {escape(catalogue.made)}</h1>"
        f"{body}</body></html>\n"
    )
