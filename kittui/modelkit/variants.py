"""The variants that a ModelKit index lists: their labels, choosing by them, and changing the list.

Labels are `modelMetadata` beside a descriptor's own keys: any JSON, kept as written.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from kittui.errors import Malformed, NotFound, Refused, UsageError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import KIT_INDEX, MANIFEST_WRITE_LIMIT, OCI_INDEX
from kittui.oci.spans import Span, compact, drop, elements, member, members, put_element, put_member, text_of, top

LABELS = "modelMetadata"
_NAMED = 12
"""Maximum variants that an error lists."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One entry of an index; `labels` are for showing: texts as they are, other values as compact JSON."""

    descriptor: Descriptor
    labels: Mapping[str, str] = field(hash=False)
    raw: Mapping[str, str] = field(hash=False)
    """The labels' values as compact JSON."""

    @property
    def words(self) -> str:
        """A description that distinguishes it: its labels, else its digest."""
        return ", ".join(f"{key}={value}" for key, value in self.labels.items()) or self.descriptor.digest.short


def variants_of(manifest: Manifest) -> tuple[Variant, ...]:
    """Read the entries of an index with their labels, if those are a map. Raises Malformed."""
    if not manifest.is_index or not manifest.manifests:
        return ()
    text = text_of(manifest.raw, "the index")
    listed = member(text, top(text), "manifests")
    spans = elements(text, listed) if listed else []
    return tuple(_variant(text, span, entry) for span, entry in zip(spans, manifest.manifests, strict=True))


def _variant(text: str, span: Span, descriptor: Descriptor) -> Variant:
    stated = member(text, span, LABELS)
    if stated is None or text[stated.start] != "{":
        return Variant(descriptor, {}, {})
    raw = {one.key: compact(text[one.start : one.end]) for one in members(text, stated)}
    return Variant(descriptor, {key: shown(value) for key, value in raw.items()}, raw)


def shown(value: str) -> str:
    """A label's JSON as people read and write it."""
    return str(json.loads(value)) if value.startswith('"') else value


def label_keys(variants: Iterable[Variant]) -> list[str]:
    """All label keys, in the order of their first use."""
    return list(dict.fromkeys(key for variant in variants for key in variant.labels))


def parse_labels(texts: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` as typed, or `KEY:=JSON` as when it was added; raises UsageError."""
    found = {}
    for text in texts:
        key, mark, value = text.partition("=")
        if not mark or not key:
            raise UsageError(f"{text!r} is not a label", hint="Write LABEL=VALUE, as quantization=q4_0.")
        found[key.removesuffix(":")] = value
    return found


def matching(variants: Iterable[Variant], wanted: Mapping[str, str]) -> list[Variant]:
    """The variants with all these labels; values that are not texts compare as compact JSON."""
    return [
        one
        for one in variants
        if all(one.labels.get(key) in (value, compact(value)) for key, value in wanted.items())
        and wanted.keys() <= one.labels.keys()
    ]


def choose(manifest: Manifest, wanted: Mapping[str, str], reference: str) -> Variant:
    """Choose the one variant with all these labels. Raises UsageError if this is not an index, NotFound, Refused."""
    if not manifest.is_index:
        raise UsageError(
            "this is not an index, so it has no variants to choose from",
            hint="Leave the labels out.",
            reference=reference,
        )
    variants = variants_of(manifest)
    found = matching(variants, wanted)
    if len(found) == 1:
        return found[0]
    asked = ", ".join(f"{key}={value}" for key, value in wanted.items())
    if not found:
        raise NotFound(f"no variant has {asked}", hint=_there_are(variants), reference=reference)
    raise Refused(f"{len(found)} variants have {asked}", hint=_there_are(found), reference=reference)


def needs_choice(manifest: Manifest, reference: str) -> Refused:
    """The error for an index where a ModelKit is needed."""
    variants = variants_of(manifest)
    return Refused(
        f"this is an index of {len(variants)} {'variant' if len(variants) == 1 else 'variants'}, not a ModelKit",
        hint=f"Choose with -l LABEL=VALUE, or by its digest. {_there_are(variants)}",
        reference=reference,
    )


def _there_are(variants: Sequence[Variant]) -> str:
    if not variants:
        return "The index is empty."
    more = f"; and {len(variants) - _NAMED} more" if len(variants) > _NAMED else ""
    return f"There are: {'; '.join(one.words for one in variants[:_NAMED])}{more}."


def empty_index(annotations: Mapping[str, str]) -> bytes:
    """A new index that lists nothing."""
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "artifactType": KIT_INDEX, "manifests": []}
    if annotations:
        document["annotations"] = dict(annotations)
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def with_variant(
    raw: bytes,
    descriptor: Descriptor,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    removed: Collection[str] = (),
) -> bytes:
    """Return the index with a ModelKit listed: one entry per digest, labels (as JSON) and annotations merged in."""
    text = text_of(raw, "the index")
    number = _find(text, descriptor.digest)
    if number is None:
        listed = member(text, top(text), "manifests")
        entry = compact(json.dumps(descriptor.to_json(), ensure_ascii=False))
        if listed is None or text[listed.start] != "[":
            text = put_member(text, top(text), "manifests", f"[{entry}]")
        else:
            text = put_element(text, listed, entry)
        number = len(_entries(text)) - 1
    stated = {key: json.dumps(value, ensure_ascii=False) for key, value in annotations.items()}
    for field_name, values in (("annotations", stated), (LABELS, labels)):
        for key, value in values.items():
            if member(text, _entries(text)[number], field_name) is None:
                text = put_member(text, _entries(text)[number], field_name, "{}")
            held = member(text, _entries(text)[number], field_name)
            if held is None or text[held.start] != "{":
                raise Malformed(f"{field_name} of {descriptor.digest.short} in the index is not a map")
            text = put_member(text, held, key, value)
    for key in removed:
        held = member(text, _entries(text)[number], LABELS)
        siblings = members(text, held) if held is not None and text[held.start] == "{" else []
        for place in [place for place, one in enumerate(siblings) if one.key == key][::-1]:
            text = drop(text, siblings, place)
            siblings = siblings[:place]
    return _checked(text)


def without_variant(raw: bytes, digest: Digest) -> bytes:
    """Return the index without a ModelKit; raises NotFound if it is not listed."""
    text = text_of(raw, "the index")
    number = _find(text, digest)
    if number is None:
        raise NotFound(f"the index does not list {digest}")
    while number is not None:
        text = drop(text, _entries(text), number)
        number = _find(text, digest)
    return _checked(text)


def _entries(text: str) -> list[Span]:
    listed = member(text, top(text), "manifests")
    return elements(text, listed) if listed is not None and text[listed.start] == "[" else []


def _find(text: str, digest: Digest) -> int | None:
    for number, span in enumerate(_entries(text)):
        stated = member(text, span, "digest")
        if stated is not None and text[stated.start : stated.end] == f'"{digest}"':
            return number
    return None


def _checked(text: str) -> bytes:
    raw = text.encode()
    if len(raw) > MANIFEST_WRITE_LIMIT:
        raise Refused(
            f"the index would have {len(raw)} bytes, of which registries take {MANIFEST_WRITE_LIMIT}",
            hint="Remove variants or labels first.",
        )
    return raw
