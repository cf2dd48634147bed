"""The states of a pane without rows, or beside them: in words, with what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from kittui.errors import (
    AuthError,
    ConnectionLost,
    Denied,
    KittuiError,
    RateLimited,
    Unauthorized,
    Unreachable,
    without_again,
)
from kittui.terminal import clean
from kittui.tui.style.sizes import at_text

Kind = Literal["ready", "loading", "empty", "failed", "login", "absent", "partial", "stale"]

MARKS: Final = {
    "loading": ("◌", "$kit-muted"),
    "empty": ("○", "$kit-muted"),
    "failed": ("✗", "$kit-bad"),
    "login": ("▲", "$kit-warn"),
    "absent": ("○", "$kit-accent"),
    "partial": ("▲", "$kit-warn"),
    "stale": ("▲", "$kit-warn"),
}


@dataclass(frozen=True, slots=True)
class State:
    """A headline, perhaps an explanation, and the next step. Texts are clean; in the step, keys stand in backquotes."""

    kind: Kind
    headline: str = ""
    explanation: str = ""
    step: str = ""


def trouble_words(error: KittuiError) -> str:
    """Why something could not be read, in a word or two for a title."""
    if isinstance(error, RateLimited):
        return "held off"
    if isinstance(error, Unreachable | ConnectionLost):
        return "unreachable"
    return "no access" if isinstance(error, AuthError | Denied | Unauthorized) else "not read"


def trouble_since(error: KittuiError, now: datetime) -> str:
    """Why a list could not be read, and since when."""
    return f"{trouble_words(error)} since {at_text(now, now)}"


def as_of(read_at: datetime | None, now: datetime) -> str:
    """When a list was read; empty if it was not."""
    return f"as of {at_text(read_at, now)}" if read_at is not None else ""


def read_facts(read_at: datetime | None, trouble: str, now: datetime) -> tuple[tuple[str, str], ...]:
    """What is wrong with a list, and when it was read, for the header."""
    facts = ((f"✗ {trouble}" if trouble else "", "$kit-bad"), (as_of(read_at, now), "$kit-muted"))
    return tuple(fact for fact in facts if fact[0])


READY: Final = State("ready")


def of_error(error: KittuiError, host: str = "", *, key: str = "r", stale: bool = False) -> State:
    """The state of a pane after an error; `host` was asked, `stale`: older rows are still shown."""
    message, hint = clean(error.message), clean(error.hint or "")
    if message.partition(" ")[0].isalpha():
        message = message[:1].upper() + message[1:]
    if isinstance(error, Unauthorized):
        who = clean(host) or "This registry"
        return State(
            "login", f"{who} requires a login.", message, f"Press `L` to log in, or run: kittui login {clean(host)}"
        )
    if isinstance(error, AuthError | Denied):
        return State("login", message, hint, f"Press `L` to log in as someone else, or `{key}` to try again.")
    if error.code == "unsupported":
        return State("absent", message, hint, "Press `o` to type a repository, or add it to config.yaml.")
    return State("stale" if stale else "failed", message, without_again(hint), f"Press `{key}` to try again.")


def nothing_found(what: str, needle: str, problem: str) -> State:
    """The state of a pane whose filter matches nothing: why it can't be used, else that no `what` matches its text."""
    said = f"{problem[:1].upper()}{problem[1:]}." if problem else f"{what} matches “{clean(needle)}”."
    return State("empty", said, "", "`Esc` clears the filter.")
