"""Checks this terminal and a registry. The store is checked by its own package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

from kittui.errors import AuthError, KittuiError, NotFound, Unsupported
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import (
    Incomplete,
    Power,
    Repository,
    Source,
    SupportsDeleteProbe,
    SupportsPing,
    SupportsUntagProbe,
)
from kittui.oci.tag import Tag

State = Literal["good", "warn", "bad", "unknown"]
_MOST_TRIED: Final = 5
"""The most repositories tried until one can be read."""
REPAIR_ALSO: Final = "Afterwards, tags of missing ModelKits and old unused blobs are deleted."
"""The part of a repair that can't be planned: a broken index hides what else is wrong."""
_NOBODY: Final = Digest.of(b"kittui asks for what nobody has")


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its state, what was found, what to do about it, and its exit status.

    `repairable`: a repair of the store fixes it.
    """

    name: str
    state: State
    seen: str
    remedy: str = ""
    exit_status: int = 0
    repairable: bool = False


@dataclass(frozen=True, slots=True)
class Terminal:
    """What is known about the terminal without querying it: whether it is a `tty`, stdout's `encoding`, its size."""

    tty: bool
    encoding: str
    columns: int
    rows: int
    environ: Mapping[str, str]


def check_terminal(terminal: Terminal) -> list[Check]:
    """Check colours, Unicode, size, clipboard and multiplexer, from the environment alone."""
    environ = terminal.environ
    term = environ.get("TERM", "")
    checks = []
    if not terminal.tty:
        checks.append(Check("terminal", "warn", "stdout is not a terminal", "Start the interface from a terminal."))
    elif term in ("", "dumb"):
        checks.append(
            Check("terminal", "bad", f"TERM is {term or 'unset'}", "Set TERM, for example TERM=xterm-256color.")
        )
    else:
        checks.append(Check("terminal", "good", term))
    checks.append(_colours(environ, term))
    encoding = terminal.encoding.lower().replace("-", "")
    if encoding.startswith("utf"):
        checks.append(Check("characters", "good", f"Unicode ({terminal.encoding})"))
    else:
        remedy = "Set LANG to a UTF-8 locale, or ascii: true in config.yaml."
        checks.append(Check("characters", "warn", f"{terminal.encoding or 'unknown'}, not Unicode", remedy))
    if terminal.tty:
        size = f"{terminal.columns}x{terminal.rows}"
        small = terminal.columns < 60 or terminal.rows < 15
        remedy = "The interface needs at least 60x15 and works best at 160x45." if small else ""
        checks.append(Check("size", "bad" if small else "good", size, remedy))
    checks.append(_clipboard(environ, term))
    return checks


def _colours(environ: Mapping[str, str], term: str) -> Check:
    if environ.get("NO_COLOR"):
        return Check("colours", "warn", "none: NO_COLOR is set", "Unset NO_COLOR for colours.")
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return Check("colours", "good", "16 million")
    if "256color" in term or term.startswith(("xterm-kitty", "alacritty", "foot", "wezterm")):
        return Check("colours", "good", "256", "Set COLORTERM=truecolor if the terminal has 16 million colours.")
    return Check("colours", "warn", "16 or fewer", "Choose theme: kittui-ansi in config.yaml.")


def _clipboard(environ: Mapping[str, str], term: str) -> Check:
    """OSC 52 gets no reply, so this says what to check rather than what works."""
    if environ.get("TMUX"):
        remedy = "In tmux: set -g set-clipboard on, and set -g allow-passthrough on."
        return Check("clipboard", "unknown", "OSC 52 through tmux", remedy)
    if term.startswith("screen"):
        return Check("clipboard", "warn", "GNU screen only partly forwards OSC 52", "Use tmux, or the mouse.")
    if environ.get("TERM_PROGRAM") == "Apple_Terminal":
        return Check("clipboard", "bad", "Terminal.app ignores OSC 52", "A copied line is also shown on screen.")
    if environ.get("VTE_VERSION"):
        return Check("clipboard", "warn", "terminals on VTE ignore OSC 52", "A copied line is also shown on screen.")
    return Check(
        "clipboard", "unknown", "OSC 52, whose support can't be detected", "A copied line is also shown on screen."
    )


async def check_registry(source: Source, repositories: Sequence[str] = ()) -> AsyncIterator[Check]:
    """Check the features of a registry that kittui uses, cheaply and without changes; stops if it can't be reached.

    `repositories` are tried before those of the catalog. An undecided check says why.
    """
    if isinstance(source, SupportsPing):
        try:
            yield Check("registry", "good", await source.ping())
        except KittuiError as error:
            yield Check("registry", "bad", error.message, error.hint or "", error.exit_status)
            return
    names = list(repositories)
    try:
        async for page in source.repositories():
            names += [entry.name for entry in page]
            if len(names) >= 1000:
                break
        more = "1000 or more" if len(names) >= 1000 else str(len(names) - len(repositories))
        yield Check("catalog", "good", f"{more} repositories")
    except (Unsupported, AuthError, Incomplete) as error:
        yield Check("catalog", "warn", error.message, error.hint or "")
    except KittuiError as error:
        yield Check("catalog", "bad", error.message, error.hint or "")
    if not names:
        remedy = "Name one (kittui doctor HOST/REPOSITORY), or list this registry's `repositories` in config.yaml."
        yield Check("repository", "unknown", "no repository to check", remedy)
        return
    problem: Check | None = None
    for name in dict.fromkeys(names[:_MOST_TRIED]):
        repository = source.repository(name)
        try:
            tag = await _first_tag(repository)
        except KittuiError as error:
            problem = problem or Check(
                "repository", "bad", f"{repository.reference()}: {error.message}", error.hint or ""
            )
            continue
        yield Check("repository", "good", f"checking {repository.reference()}")
        async for check in _check_repository(source, repository, tag):
            yield check
        return
    if problem is not None:
        yield problem


async def _check_repository(source: Source, repository: Repository, tag: Tag | None) -> AsyncIterator[Check]:
    if tag is None:
        yield Check("manifests", "unknown", "could not tell: the repository has no tag")
        yield Check("ranges", "unknown", "could not tell: the repository has no tag")
    else:
        try:
            manifest = await repository.manifest(tag)
            yield Check("manifests", "good", f"{repository.reference(tag)} was read and matches its digest")
            blob = next((blob for blob in (*manifest.layers, manifest.config) if blob and blob.size > 1), None)
            if blob is None:
                yield Check("ranges", "unknown", "could not tell: it has no blob that is large enough")
            else:
                yield await _ranges(repository, blob)
        except KittuiError as error:
            yield Check("manifests", "bad", f"{repository.reference(tag)}: {error.message}", error.hint or "")
            yield Check("ranges", "unknown", "could not tell: the manifest could not be read")
    try:
        with suppress(NotFound):
            await repository.referrers(_NOBODY)
        yield _power("referrers", source.capabilities.referrers)
    except KittuiError as error:
        yield _unknown("referrers", error)
    if isinstance(repository, SupportsDeleteProbe):
        try:
            yield _power("deletes", await repository.probe_deletes())
        except KittuiError as error:
            yield _unknown("deletes", error)
    if isinstance(repository, SupportsUntagProbe):
        try:
            yield _power("untagging", await repository.probe_untag())
        except KittuiError as error:
            yield _unknown("untagging", error)


def _unknown(name: str, error: KittuiError) -> Check:
    return Check(name, "unknown", f"could not tell: {error.message}", error.hint or "")


async def _first_tag(repository: Repository) -> Tag | None:
    async for page in repository.tags():
        for entry in page:
            if entry.name is not None:
                return entry.name
    return None


async def _ranges(repository: Repository, blob: Descriptor) -> Check:
    try:
        async with repository.open_blob(blob, blob.size - 1, 1) as reader:
            async for _ in reader:
                pass
    except Unsupported as error:
        return Check(
            "ranges", "warn", error.message, error.hint or "kittui has to read whole layers to look inside them."
        )
    except KittuiError as error:
        return _unknown("ranges", error)
    return Check("ranges", "good", "parts of layers can be read")


def _power(name: str, power: Power) -> Check:
    if power.state == "yes":
        return Check(name, "good", "supported")
    if power.state == "no":
        return Check(name, "warn", power.reason or "not supported", power.remedy)
    return Check(name, "unknown", power.reason or "not known", power.remedy)
