"""Evaluates gates on the Kitfile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from kittui.modelkit.modelkit import ModelKit
from kittui.trust.documents import parse_time, text_of
from kittui.trust.gates import KitfileHas, LicenseIn, Metric, NotOlderThan
from kittui.trust.reviews import SKEW
from kittui.usecases.trust.answers import Answer

_PARTS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "tuning": (("datasets",), ("model",)),
    "validating": (("datasets",), ("model",)),
    "trained": (("model", "datasets"), ()),
    "tuned": (("model", "datasets"), ()),
}
"""The parts that a stage requires, and those that it forbids; any other stage requires a model."""


def licensed(gate: LicenseIn, kit: ModelKit) -> Answer:
    """Whether the Kitfile names a license, and all of its licenses are allowed."""
    named = licenses_of(kit.kitfile)
    if not named:
        return Answer("fail", "the Kitfile has no license", "set package.license or model.license")
    other = sorted(named - set(gate.licenses))
    if other:
        return Answer("fail", f"its license {', '.join(other)} is not one of {', '.join(gate.licenses)}")
    return Answer("pass", ", ".join(sorted(named)))


def licenses_of(kitfile: Mapping[str, Any]) -> set[str]:
    """Every license in a Kitfile, of the package or of a part."""
    parts: list[Any] = [kitfile.get("package"), kitfile.get("model")]
    for section in ("code", "datasets", "docs"):
        value = kitfile.get(section)
        parts += value if isinstance(value, list) else []
    return {text_of(part, "license") for part in parts if isinstance(part, dict)} - {""}


def value_at(kitfile: Mapping[str, Any], path: str) -> Any:
    """The value at a path such as model.parameters.metrics.auc or datasets.0.path; None if there is none."""
    value: Any = kitfile
    for part in path.split("."):
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def has(gate: KitfileHas, kit: ModelKit, tag: str) -> Answer:
    """Whether the Kitfile has what the gate requires."""
    parts, without = gate.parts, gate.without
    if gate.stage:
        wanted, banned = _PARTS.get(tag, (("model",), ()))
        parts, without = (*parts, *wanted), (*without, *banned)
    missing = [path for path in gate.paths if value_at(kit.kitfile, path) in (None, "", [], {})]
    missing += [part for part in parts if not kit.kitfile.get(part)]
    if missing:
        return Answer("fail", f"the Kitfile has no {', '.join(missing)}", "pack it again with what is missing")
    extra = [part for part in without if kit.kitfile.get(part)]
    if extra:
        return Answer("fail", f"the Kitfile has {', '.join(extra)}, which {tag} must not have")
    return Answer("pass", f"it has {', '.join((*gate.paths, *parts)) or 'what is asked for'}")


def young(gate: NotOlderThan, kit: ModelKit, now: datetime) -> Answer:
    """Whether it is young enough."""
    created = parse_time(kit.created)
    if created is None:
        return Answer("unknown", "it has no creation date")
    if created > now + SKEW:
        return Answer("unknown", f"its creation date is in the future, {created:%Y-%m-%d}")
    days = (now - created) // timedelta(days=1)
    if days > gate.days:
        return Answer("fail", f"it was created {days} days ago", "pack it again")
    return Answer("pass", f"it was created {days} days ago")


def measured(gate: Metric, kit: ModelKit, before: ModelKit | None) -> Answer:
    """Whether a number is good enough."""
    found = _number(value_at(kit.kitfile, gate.path))
    if found is None:
        return Answer("unknown", f"the Kitfile has no number at {gate.path}", f"add it to the Kitfile at {gate.path}")
    if gate.at_least is not None and found < gate.at_least:
        return Answer("fail", f"{found:g} is less than {gate.at_least:g}")
    if gate.at_most is not None and found > gate.at_most:
        return Answer("fail", f"{found:g} is more than {gate.at_most:g}")
    if gate.not_worse and before is not None:
        present = _number(value_at(before.kitfile, gate.path))
        if present is None:
            return Answer("unknown", f"what the tag holds now has no number at {gate.path}")
        worse = found < present if gate.not_worse == "higher" else found > present
        if worse:
            return Answer("fail", f"{found:g} is worse than {present:g} of what the tag holds now")
        return Answer("pass", f"{found:g}, and {present:g} of what the tag holds now")
    return Answer("pass", f"{found:g}")


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number == number and abs(number) != float("inf") else None
