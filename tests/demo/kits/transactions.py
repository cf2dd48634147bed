"""Card transactions as the demo's projects use them, and the ModelKits that hold nothing else."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import cache

from tests.demo.kits import Kit, kit

HEADER = "tx_id,amount,merchant,country,hour,card_present,is_fraud"
MERCHANTS = ("grocer", "fuel", "online", "travel", "restaurant", "electronics", "pharmacy", "streaming")
COUNTRIES = ("DE", "FR", "NL", "PL", "IT", "ES")


@cache
def rows(seed: str, first: int, count: int) -> tuple[str, ...]:
    """CSV rows of made-up payments, about one in twelve fraudulent, numbered from `first`."""
    source = random.Random(seed)
    made = []
    for number in range(first, first + count):
        merchant, country = source.choice(MERCHANTS), source.choice(COUNTRIES)
        amount, hour, present = source.random() ** 3 * 400 + 1, int(source.random() * 24), source.random() < 0.6
        fraud = source.random() < (0.3 if not present and (hour < 6 or amount > 250) else 0.02)
        made.append(f"T{number:06d},{amount:.2f},{merchant},{country},{hour},{int(present)},{int(fraud)}")
    return tuple(made)


def table(lines: Sequence[str]) -> str:
    """A CSV file of rows."""
    return "\n".join((HEADER, *lines)) + "\n"


def _month(tags: str, created: str, months: Sequence[str]) -> Kit:
    """The transactions of some months, one file and so one layer each: kits share those of former months."""
    count = 150
    files = {f"months/{month}.csv": table(rows(month, count * int(month[-2:]), count)) for month in months}
    schema = (
        "# Card transactions\n\nSynthetic. One row per payment; `is_fraud` is the chargeback label after 30 days.\n"
    )
    kitfile = {
        "package": {
            "name": "card-transactions",
            "version": months[-1].replace("-", "."),
            "description": "Labelled payments for every team that trains on them",
            "license": "CC0-1.0",
            "authors": ["Data Platform"],
        },
        "datasets": [
            {
                "name": month,
                "path": f"months/{month}.csv",
                "description": f"Payments of {month}",
                "license": "CC0-1.0",
                "parameters": {"rows": count, "columns": len(HEADER.split(","))},
            }
            for month in months
        ],
        "docs": [{"path": "SCHEMA.md", "description": "Columns and how they were labelled"}],
    }
    return kit("acme/card-transactions", tags, created, kitfile, {**files, "SCHEMA.md": schema})


def kits() -> list[Kit]:
    """Data sets only, a month more in each."""
    return [
        _month("2026.09", "2026-10-02", ["2026-08", "2026-09"]),
        _month("2026.10 latest", "2026-11-02", ["2026-08", "2026-09", "2026-10"]),
    ]
