"""Describes a statement for people, as labelled lines, in every front end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from kittui.trust.documents import list_of, map_of, text_of
from kittui.trust.moves import MOVE, read_move
from kittui.trust.reviews import APPROVED, DETAILS, REJECTED
from kittui.trust.statements import BOM, PROVENANCE, REVIEW, SPDX, SUMMARY, TEST_RESULT, Statement

Line = tuple[str, str]
LINES_LIMIT: Final = 200
"""Maximum lines shown of a statement; the JSON has everything."""
_LISTED: Final = 20


def describe(statement: Statement) -> list[Line]:
    """The lines of a statement: fields of known kinds, else its JSON."""
    view = _VIEWS.get(statement.predicate_type)
    if view is None:
        base = next((kind for kind in (BOM, SPDX) if statement.predicate_type.startswith(kind + "/")), "")
        view = _VIEWS.get(base, _plain)
    lines = [(label, text) for label, text in view(statement.predicate) if text]
    return (lines or list(_plain(statement.predicate)))[:LINES_LIMIT]


def _plain(predicate: Mapping[str, Any]) -> Iterator[Line]:
    for line in json.dumps(predicate, indent=2, ensure_ascii=False).splitlines()[:LINES_LIMIT]:
        yield "", line


def _summary(predicate: Mapping[str, Any]) -> Iterator[Line]:
    yield "result", text_of(predicate, "verificationResult")
    yield "resource", text_of(predicate, "resourceUri")
    yield "verifier", text_of(map_of(predicate, "verifier"), "id")
    yield "time", text_of(predicate, "timeVerified")
    policy = map_of(predicate, "policy")
    yield "policy", " ".join(filter(None, (text_of(policy, "uri"), _digest(policy))))
    yield "levels", _texts(predicate, "verifiedLevels")
    for evidence in _maps(predicate, "inputAttestations"):
        yield "evidence", " ".join(filter(None, (text_of(evidence, "uri"), _digest(evidence))))


def _review(predicate: Mapping[str, Any]) -> Iterator[Line]:
    details = map_of(predicate, DETAILS)
    told = {APPROVED: "approved", REJECTED: "rejected"}
    properties = [text for text in list_of(predicate, "properties") if isinstance(text, str)]
    yield "result", ", ".join(told.get(text, text) for text in properties[:_LISTED])
    yield "for", " ".join(filter(None, (text_of(details, "repository"), text_of(details, "tag"))))
    yield "by", text_of(details, "actor")
    yield "reason", text_of(details, "reason")
    yield "verifier", text_of(map_of(predicate, "verifier"), "id")
    yield "time", text_of(predicate, "timeCreated")


def _test_result(predicate: Mapping[str, Any]) -> Iterator[Line]:
    yield "result", text_of(predicate, "result")
    for key, label in (("failedTests", "failed"), ("warnedTests", "warned"), ("passedTests", "passed")):
        yield label, _texts(predicate, key)
    yield "run", text_of(predicate, "url")
    for configuration in _maps(predicate, "configuration"):
        yield "configuration", text_of(configuration, "name") or text_of(configuration, "uri")


def _provenance(predicate: Mapping[str, Any]) -> Iterator[Line]:
    definition, run = map_of(predicate, "buildDefinition"), map_of(predicate, "runDetails")
    yield "build type", text_of(definition, "buildType") or text_of(predicate, "buildType")
    yield "builder", text_of(map_of(run, "builder"), "id") or text_of(map_of(predicate, "builder"), "id")
    metadata = map_of(run, "metadata")
    yield "started", text_of(metadata, "startedOn")
    yield "finished", text_of(metadata, "finishedOn")
    for material in (*_maps(definition, "resolvedDependencies"), *_maps(predicate, "materials")):
        yield "from", " ".join(filter(None, (text_of(material, "uri"), _digest(material))))


def _cyclonedx(predicate: Mapping[str, Any]) -> Iterator[Line]:
    yield "format", " ".join(filter(None, (text_of(predicate, "bomFormat"), text_of(predicate, "specVersion"))))
    yield "serial", text_of(predicate, "serialNumber")
    metadata = map_of(predicate, "metadata")
    yield "time", text_of(metadata, "timestamp")
    for component in (map_of(metadata, "component"), *_maps(predicate, "components")):
        named = " ".join(filter(None, (text_of(component, "name"), text_of(component, "version"))))
        yield text_of(component, "type") or "component", named


def _spdx(predicate: Mapping[str, Any]) -> Iterator[Line]:
    yield "format", text_of(predicate, "spdxVersion")
    yield "name", text_of(predicate, "name")
    yield "time", text_of(map_of(predicate, "creationInfo"), "created")
    for package in _maps(predicate, "packages"):
        yield "package", " ".join(filter(None, (text_of(package, "name"), text_of(package, "versionInfo"))))


def _move(predicate: Mapping[str, Any]) -> Iterator[Line]:
    move = read_move(predicate)
    if move is None:
        yield from _plain(predicate)
        return
    yield "action", move.action
    yield "tag", f"{move.repository}:{move.tag}"
    yield "before", move.before or "none"
    yield "after", move.after or "none"
    yield "by", move.actor
    yield "time", text_of(predicate, "time")
    yield "reason", move.reason
    for gate in move.overridden:
        yield "overridden", gate


def _maps(document: Mapping[str, Any], key: str) -> Iterator[Mapping[str, Any]]:
    return (entry for entry in list_of(document, key)[:_LISTED] if isinstance(entry, dict))


def _texts(document: Mapping[str, Any], key: str) -> str:
    found = [text[:200] for text in list_of(document, key) if isinstance(text, str)]
    more = f" and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return ", ".join(found[:_LISTED]) + more


def _digest(resource: Mapping[str, Any]) -> str:
    return next((f"{name}:{value}" for name, value in map_of(resource, "digest").items() if isinstance(value, str)), "")


_VIEWS: Final[Mapping[str, Callable[[Mapping[str, Any]], Iterator[Line]]]] = {
    SUMMARY: _summary,
    REVIEW: _review,
    "https://in-toto.io/attestation/svr/v0.1": _review,
    TEST_RESULT: _test_result,
    PROVENANCE: _provenance,
    "https://slsa.dev/provenance/v0.2": _provenance,
    BOM: _cyclonedx,
    SPDX: _spdx,
    MOVE: _move,
}
