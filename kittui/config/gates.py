"""The schema of `gates` in config.yaml. Imported only if there is a file to check."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from kittui.errors import KittuiError
from kittui.modelkit.kitfile import SECTIONS
from kittui.oci.tag import Tag
from kittui.trust.gates import (
    ApprovedBy,
    Attested,
    Gate,
    GateSet,
    KitfileHas,
    LicenseIn,
    Metric,
    NotOlderThan,
    Reviewed,
    Scanned,
    SignedBy,
)
from kittui.trust.statements import SHORT, predicate_uri

Part = Literal[("model", *SECTIONS)]  # type: ignore[valid-type]
_AGE = re.compile(r"(\d{1,5}) ?(?:d|days?)?\Z")


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Words = Annotated[tuple[StrictStr, ...], Field(max_length=1000), BeforeValidator(_listed)]


def _problem(text: str) -> PydanticCustomError:
    return PydanticCustomError("kittui", "{detail}", {"detail": text})


def _type(text: str) -> str:
    try:
        predicate_uri(text)
    except KittuiError as error:
        raise _problem(f"{error.message}. {error.hint}") from None
    return text


def _number(value: Any) -> Any:
    """A number, even if YAML left it as text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _days(value: Any) -> int:
    found = _AGE.match(str(value))
    if found is None:
        raise _problem("a number of days such as 30d is allowed")
    return int(found[1])


def _move(text: str) -> str:
    origin, _, target = text.rpartition("->")
    for tag in (origin.strip(), target.strip()):
        try:
            if tag or target.strip() == tag:
                Tag.parse(tag)
        except KittuiError:
            raise _problem("a move such as challenger -> champion is allowed, or the tag that moves alone") from None
    return text


Number = Annotated[float | None, Field(allow_inf_nan=False), BeforeValidator(_number)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AttestedForm(_Form):
    """One entry of `attested`."""

    type: Annotated[StrictStr, AfterValidator(_type)]
    by: Words = ()
    result: StrictStr = ""


class ApprovedForm(_Form):
    """`approved_by`."""

    count: Annotated[int, Field(ge=1, le=100)] = 1
    people: Words = ()

    @model_validator(mode="after")
    def _enough(self) -> ApprovedForm:
        if self.count > len(set(self.people)):
            raise _problem(f"{self.count} of {len(set(self.people))} people can't approve")
        return self


class KitfileForm(_Form):
    """`kitfile_has`."""

    paths: tuple[StrictStr, ...] = ()
    parts: tuple[Part, ...] | Literal["stage"] = ()
    without: tuple[Part, ...] = ()


class MetricForm(_Form):
    """One entry of `metric`."""

    path: StrictStr
    at_least: Number = None
    at_most: Number = None
    not_worse: Literal["higher", "lower"] | None = None

    @model_validator(mode="after")
    def _something(self) -> MetricForm:
        if self.at_least is None and self.at_most is None and self.not_worse is None:
            raise _problem("at_least, at_most or not_worse (higher or lower is better) is missing")
        return self


class GateForm(_Form):
    """One entry of `gates`."""

    name: StrictStr = ""
    move: Annotated[StrictStr, AfterValidator(_move)]
    repositories: tuple[StrictStr, ...] = ()
    enforce: StrictBool = False
    signed_by: Words = ()
    attested: tuple[AttestedForm, ...] = ()
    approved_by: ApprovedForm | None = None
    reviewed: StrictBool = False
    license_in: Words = ()
    kitfile_has: KitfileForm | None = None
    metric: tuple[MetricForm, ...] = ()
    not_older_than: Annotated[int | None, BeforeValidator(_days)] = None
    scanned: Literal["kittui", "modelscan"] | None = None

    def value(self) -> GateSet:
        """The gates as a value."""
        origin, _, target = (part.strip() for part in self.move.rpartition("->"))
        return GateSet(self.name, target, tuple(self._gates()), origin, self.repositories, self.enforce)

    def _gates(self) -> Iterator[Gate]:
        if self.license_in:
            yield LicenseIn(self.license_in)
        if self.kitfile_has is not None:
            form = self.kitfile_has
            stage = form.parts == "stage"
            yield KitfileHas(form.paths, () if stage else tuple(form.parts), form.without, stage)
        yield from (Metric(one.path, one.at_least, one.at_most, one.not_worse) for one in self.metric)
        if self.not_older_than is not None:
            yield NotOlderThan(self.not_older_than)
        if self.signed_by:
            yield SignedBy(self.signed_by)
        for one in self.attested:
            yield Attested(predicate_uri(one.type), one.by, one.result, one.type if one.type in SHORT else "")
        if self.approved_by is not None:
            yield ApprovedBy(self.approved_by.count, self.approved_by.people)
        if self.reviewed:
            yield Reviewed()
        if self.scanned:
            yield Scanned(self.scanned)
