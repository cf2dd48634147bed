"""Finds and reads config.yaml: flags override the environment, which overrides the file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kittui.config.environment import said
from kittui.config.keymap import written_keymap
from kittui.config.values import Config, Registry, Trusted
from kittui.disk.paths import home_folder, open_regular, typed_path
from kittui.errors import KittuiError, UsageError
from kittui.modelkit.stages import STAGES, Stage, lifecycle_of
from kittui.oci.tag import Tag
from kittui.trust.documents import read_moment

if TYPE_CHECKING:
    import yaml

    from kittui.config.schema import ConfigForm, StageForm, TrustForm

SIZE_LIMIT: Final = 1024 * 1024
"""The largest configuration file in bytes."""


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """A mistake: where it is (file and line, or a variable), which key, and what is allowed there."""

    place: str
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.key}: {self.message}" if self.key else f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Flags:
    """Flags from the command line; None if not given."""

    config: Path | None = None
    store: str | None = None
    read_only: bool | None = None
    offline: bool | None = None
    no_refresh: bool | None = None
    plain_http: bool | None = None
    tls_verify: bool | None = None
    ca_cert: Path | None = None
    cert: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The configuration, its mistakes, and its file (which may not exist)."""

    config: Config
    problems: tuple[ConfigProblem, ...]
    path: Path


def config_path(flag: Path | None, environ: Mapping[str, str]) -> Path:
    """`--config`, else $KITTUI_CONFIG, else $XDG_CONFIG_HOME/kittui/config.yaml, else ~/.config/kittui/config.yaml."""
    if flag is not None:
        return flag
    if named := environ.get("KITTUI_CONFIG"):
        try:
            return typed_path(named)
        except UsageError:
            return Path(named)  # reported as missing later
    return folder(environ, "XDG_CONFIG_HOME", ".config") / "config.yaml"


def folder(environ: Mapping[str, str], variable: str, default: str) -> Path:
    """kittui's folder below one of the XDG base directories; a relative one is ignored, as their standard says."""
    named = environ.get(variable, "")
    if named.startswith("/"):
        return Path(named) / "kittui"
    return home_folder(environ) / default / "kittui"


def load_config(flags: Flags | None = None, environ: Mapping[str, str] | None = None) -> Loaded:
    """Read the configuration. Never fails: a key with a mistake keeps its default, and the mistake is listed."""
    flags = flags or Flags()
    environ = os.environ if environ is None else environ
    path = config_path(flags.config, environ)
    config, problems = _read(path, named=bool(flags.config or environ.get("KITTUI_CONFIG")))
    unread = [problem for problem in problems if not problem.key or problem.key.partition(".")[0] == "gates"]
    if unread:
        config = replace(config, gates_mistaken=str(unread[0]))
    config, mistaken = _with_environment(config, environ)
    return Loaded(_with_flags(config, flags), (*problems, *mistaken), path)


def _with_flags(config: Config, flags: Flags) -> Config:
    store = Path(flags.store) if flags.store else config.store
    return replace(
        config,
        store=store,
        read_only=config.read_only if flags.read_only is None else flags.read_only,
        offline=config.offline if flags.offline is None else flags.offline,
        refresh=0 if flags.no_refresh else config.refresh,
    )


def _read(path: Path, *, named: bool) -> tuple[Config, list[ConfigProblem]]:
    try:
        # A named file may be a pipe, such as <(...); the default one must be a regular file.
        with path.open("rb") if named else open_regular(path) as file:
            raw = file.read(SIZE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError):
        return Config(), [ConfigProblem(str(path), "", "there is no such file")] if named else []
    except OSError as error:
        return Config(), [ConfigProblem(str(path), "", f"it can't be read: {error.strerror or error}")]
    if len(raw) > SIZE_LIMIT:
        return Config(), [ConfigProblem(str(path), "", f"it is over {SIZE_LIMIT // 1024} KiB")]
    return parse_config(raw, str(path))


def parse_config(raw: bytes, place: str) -> tuple[Config, list[ConfigProblem]]:
    """The configuration in a file's bytes; `place` names the file in its mistakes."""
    import yaml

    from kittui.modelkit.kitfile import load_kitfile

    try:
        if not raw.strip():
            return Config(), []
        node = yaml.compose(raw, Loader=yaml.SafeLoader)
        if node is None:
            return Config(), []
        document = load_kitfile(raw)
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        return Config(), [ConfigProblem(place + line, "", f"it is not valid YAML: {error.problem}")]
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        return Config(), [ConfigProblem(place, "", f"it is not valid YAML: {str(error)[:200]}")]
    except KittuiError as error:
        from kittui.config.schema import ConfigForm

        allowed = ", ".join(ConfigForm.model_fields)
        return Config(), [ConfigProblem(place, "", f"{error.message.replace('the Kitfile', 'it')}; allowed: {allowed}")]
    keymap, lines = written_keymap(node)
    if keymap is not None:
        document = {**document, "keymap": keymap}
    config, problems = _checked(document, node, place)
    return replace(config, keymap_places={name: f"{place}:{line}" for name, line in lines.items()}), problems


def _checked(document: dict[str, Any], node: yaml.Node, place: str) -> tuple[Config, list[ConfigProblem]]:
    """Check, leaving out top-level keys with mistakes until the rest passes."""
    from pydantic import ValidationError

    from kittui.config.schema import ConfigForm

    problems: list[ConfigProblem] = []
    while True:
        try:
            return _from_form(ConfigForm.model_validate(document)), problems
        except ValidationError as error:
            wrong: set[str] = set()
            for detail in error.errors(include_url=False, include_context=True):
                location = tuple(part for part in detail["loc"] if not _is_tag(part))
                wrong.add(str(location[0]) if location else "")
                problems.append(_problem(detail, location, node, place))
            document = {key: value for key, value in document.items() if key not in wrong and "" not in wrong}


def _is_tag(part: int | str) -> bool:
    """Whether a part of pydantic's location is pydantic's own, not a key of the file."""
    return isinstance(part, str) and ("[" in part or part.startswith("function-"))


def _problem(detail: Any, location: tuple[int | str, ...], node: yaml.Node, place: str) -> ConfigProblem:
    from kittui.config.gates import GateForm
    from kittui.config.schema import ConfigForm, MovesForm, RegistryForm, StageForm, TrustForm

    key = ".".join(str(part + 1) if isinstance(part, int) else part for part in location)
    message = str(detail["msg"]).removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        forms = {
            "registries": RegistryForm.model_fields,
            "stages": StageForm.model_fields,
            "trust": TrustForm.model_fields,
            "gates": GateForm.model_fields,
        }
        allowed = forms.get(str(location[0]), MovesForm.model_fields) if len(location) > 1 else ConfigForm.model_fields
        message = f"there is no such key; allowed are {', '.join(allowed)}"
    elif detail["type"] == "missing":
        message = "it is missing"
    elif detail["type"] == "literal_error":
        message = f"allowed are {detail['ctx']['expected']}"
    line = _line(node, location)
    return ConfigProblem(f"{place}:{line}" if line else place, key, message)


def _line(node: yaml.Node, location: tuple[int | str, ...]) -> int | None:
    """The line of a key or an entry, or of the nearest enclosing one."""
    import yaml

    line: int | None = None
    for part in location:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(part)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _from_form(form: ConfigForm) -> Config:
    stages = STAGES if form.stages is None else tuple(_stage(stage) for stage in form.stages)
    named = {role: tag for role, tag in dict(form.moves).items() if tag is not None}
    return Config(
        registries=tuple(Registry(**dict(registry)) for registry in form.registries),
        layouts=form.layouts,
        favourites=form.favourites,
        stages=stages,
        moves=replace(lifecycle_of(stages), **named),
        protected_tags=form.protected_tags,
        protect_promotions=form.protect_promotions,
        keymap=MappingProxyType(dict(form.keymap)),
        theme=str(form.theme),
        mouse=form.mouse,
        reduced_motion=form.reduced_motion,
        ascii=form.ascii,
        concurrency=form.concurrency,
        refresh=form.refresh,
        columns=form.columns,
        ask_above=form.ask_above,
        read_only=form.read_only,
        offline=form.offline,
        store=None if form.store is None else Path(form.store),
        signing_key=None if form.signing_key is None else Path(form.signing_key),
        signing_command=form.signing_command,
        difftool=form.difftool,
        trust=tuple(_trusted(entry) for entry in form.trust),
        trusted_root=None if form.trusted_root is None else Path(form.trusted_root),
        boards=MappingProxyType(dict(form.boards)),
        fleet=MappingProxyType(dict(form.fleet)),
        gates=tuple(entry.value() for entry in form.gates),
        record=form.record,
    )


def _trusted(form: TrustForm) -> Trusted:
    until = read_moment(form.until) if form.until else None
    return Trusted(form.name, form.key, form.repositories, until, form.identity, form.issuer)


def _stage(form: StageForm) -> Stage:
    """A stage; what the file omits comes from kittui's default of that name."""
    known = next((stage for stage in STAGES if stage.name == form.name), Stage(Tag(form.name), "•", "+", "accent"))
    return Stage(
        Tag(form.name),
        form.mark or known.mark,
        form.ascii_mark or known.ascii_mark,
        form.colour or known.colour,
        known.meaning if form.meaning is None else form.meaning,
        known.role if form.role is None else form.role,
    )


def _with_environment(config: Config, environ: Mapping[str, str]) -> tuple[Config, list[ConfigProblem]]:
    problems = []
    for variable, key, value in said(environ):
        if isinstance(value, ValueError):
            problems.append(ConfigProblem(f"${variable}", "", str(value)))
        else:
            config = replace(config, **{key: value})
    if environ.get("TEXTUAL_ANIMATIONS") == "none":
        config = replace(config, reduced_motion=True)
    return config, problems
