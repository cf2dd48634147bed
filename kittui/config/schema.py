"""The schema of config.yaml, checked by pydantic. Imported only if there is a file to check."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    model_validator,
)
from pydantic_core import PydanticCustomError

from kittui.config.gates import GateForm
from kittui.config.values import COLUMNS, CONCURRENCY_LIMIT, THEMES
from kittui.disk.paths import typed_path
from kittui.errors import KittuiError
from kittui.oci.reference import check_host, check_repository, parse_source
from kittui.oci.tag import Tag
from kittui.trust.documents import read_moment


def _allowed(check: Any, what: str) -> AfterValidator:
    """A validator from one of the reference checks; its hint becomes part of the message."""

    def validate(text: str) -> str:
        try:
            check(text)
        except KittuiError as error:
            detail = f"{error.message}. {error.hint}" if error.hint else error.message
            raise PydanticCustomError("kittui", "{detail}", {"detail": detail}) from None
        return text

    validate.__name__ = what
    return AfterValidator(validate)


def _path(text: str) -> Path:
    try:
        return typed_path(text)
    except KittuiError as error:
        raise PydanticCustomError("kittui", "{detail}", {"detail": error.message}) from None


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise PydanticCustomError("kittui", "{name} is named twice", {"name": twice})
    return names


def _no_controls(text: str) -> str:
    if not text.isprintable():
        raise PydanticCustomError("kittui", "no control characters are allowed")
    return text


def _as_keys(value: Any) -> Any:
    """One key, several with commas between, or a list of keys."""
    if not isinstance(value, str):
        return value
    return [value] if len(value) == 1 else [key for key in value.split(",") if key.strip()]


def _one_cell(text: str) -> str:
    if len(text) != 1 or not text.isprintable():
        raise PydanticCustomError("kittui", "one printable character is allowed")
    return text


def _ascii_cell(text: str) -> str:
    if len(text) != 1 or not text.isascii() or not text.isprintable():
        raise PydanticCustomError("kittui", "one printable ASCII character is allowed")
    return text


def _as_stage(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


def _as_words(value: Any) -> Any:
    """A command as a list of words, or as one line that is split as a shell would."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise PydanticCustomError("kittui", "{detail}", {"detail": f"it can't be split into words: {error}"}) from None


Text = Annotated[StrictStr, Field(max_length=4096), AfterValidator(_no_controls)]
Host = Annotated[StrictStr, _allowed(check_host, "host")]
Repository = Annotated[StrictStr, _allowed(check_repository, "repository")]
TagName = Annotated[StrictStr, _allowed(Tag.parse, "tag")]
Favourite = Annotated[StrictStr, _allowed(parse_source, "reference")]
File = Annotated[Text, AfterValidator(_path)]
Folder = Annotated[Text, AfterValidator(lambda text: str(_path(text)))]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RegistryForm(_Part):
    """One entry of `registries`."""

    host: Host
    name: Text = ""
    repositories: tuple[Repository, ...] = ()
    plain_http: StrictBool = False
    tls_verify: StrictBool = True
    ca_cert: File | None = None
    cert: File | None = None
    key: File | None = None
    realms: tuple[Host, ...] = ()


class StageForm(_Part):
    """One entry of `stages`: a tag's name alone, or with its mark and colour."""

    name: TagName
    mark: Annotated[StrictStr, AfterValidator(_one_cell)] | None = None
    ascii_mark: Annotated[StrictStr, AfterValidator(_ascii_cell)] | None = None
    colour: Literal["accent", "good", "warn", "bad", "special", "muted"] | None = None
    role: Literal["preparing", "challenger", "champion", "rollback", "retired", ""] | None = None
    meaning: Text | None = None


class MovesForm(_Part):
    """The tags that promote and roll back move, where they are not the stages with those roles."""

    challenger: TagName | None = None
    champion: TagName | None = None
    rollback: TagName | None = None
    retired: TagName | None = None


def _moment(text: str) -> str:
    if read_moment(text) is None:
        raise PydanticCustomError("kittui", "a date such as 2027-01-31, or a time with its zone, is allowed")
    return text


def _key(text: str) -> str:
    if "-----BEGIN" not in text:
        return _no_controls(text)
    if "PRIVATE KEY" in text:
        raise PydanticCustomError("kittui", "a private key does not belong here; name the public key")
    return text


class TrustForm(_Part):
    """One entry of `trust`: a trusted public key or certificate identity, its owner, repositories and expiry."""

    name: Text
    key: Annotated[StrictStr, Field(max_length=64 * 1024), AfterValidator(_key)] = ""
    identity: Text = ""
    issuer: Text = ""
    repositories: tuple[Text, ...] = ()
    until: Annotated[StrictStr, AfterValidator(_moment)] | None = None

    @model_validator(mode="after")
    def _either(self) -> TrustForm:
        if bool(self.key) == bool(self.identity) or bool(self.identity) != bool(self.issuer):
            raise PydanticCustomError("kittui", "a key is needed, or identity and issuer of a certificate")
        return self


class ConfigForm(_Part):
    """config.yaml."""

    registries: tuple[RegistryForm, ...] = ()
    layouts: tuple[Folder, ...] = ()
    favourites: tuple[Favourite, ...] = ()
    stages: tuple[Annotated[StageForm, BeforeValidator(_as_stage)], ...] | None = None
    moves: MovesForm = MovesForm()
    protected_tags: tuple[TagName, ...] = ()
    protect_promotions: StrictBool = True
    keymap: dict[Text, Annotated[tuple[Text, ...], BeforeValidator(_as_keys)]] = Field(default_factory=dict)
    theme: Literal[THEMES] = THEMES[0]  # type: ignore[valid-type]
    mouse: StrictBool = True
    reduced_motion: StrictBool = False
    ascii: StrictBool = False
    concurrency: Annotated[StrictInt, Field(ge=1, le=CONCURRENCY_LIMIT)] = 6
    refresh: Annotated[StrictInt, Field(ge=0, le=86_400)] = 15
    columns: Annotated[tuple[Literal[COLUMNS], ...], AfterValidator(_each_once)] = ()  # type: ignore[valid-type]
    ask_above: Annotated[StrictInt, Field(ge=0)] = 1_000_000
    read_only: StrictBool = False
    offline: StrictBool = False
    store: File | None = None
    signing_key: File | None = None
    trust: tuple[TrustForm, ...] = ()
    trusted_root: File | None = None
    boards: dict[Text, tuple[Text, ...]] = Field(default_factory=dict)
    fleet: dict[Text, dict[Text, Favourite]] = Field(default_factory=dict)
    gates: tuple[GateForm, ...] = ()
    record: Literal["registry", "local", "off"] = "registry"
    signing_command: Annotated[tuple[Text, ...], BeforeValidator(_as_words)] = ()
    difftool: Annotated[tuple[Text, ...], BeforeValidator(_as_words)] = ()
