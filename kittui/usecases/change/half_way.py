"""A change that ended half way: what of it took effect, and how that is said."""

from __future__ import annotations

from typing import Final

from kittui.errors import KittuiError, NetworkError, RegistryError, sentences
from kittui.oci.digest import Digest
from kittui.state.journal import Entry, Step
from kittui.terminal import some_of

NOTHING: Final = "Nothing was changed."


def may_have_landed(error: KittuiError) -> bool:
    """Whether a failed change may have taken effect, because the server did not refuse it."""
    refused = isinstance(error, RegistryError) and error.status is not None and error.status < 500
    return isinstance(error, NetworkError) and not refused


def note_stop(stopped: BaseException, done: str, *failed: KittuiError) -> None:
    """Note what a change that was stopped had done, what failed, and the error that its last request ended with."""
    stopped.add_note(done)
    for error in (stopped.__cause__, *failed):
        if isinstance(error, KittuiError):
            stopped.add_note(f"{sentences(error).removesuffix('.')}.")


def hint_first(error: KittuiError, done: str) -> None:
    """Say what was done before the error's own hint."""
    error.hint = f"{done} {error.hint or ''}".rstrip()


def so_far(entry: Entry) -> str:
    """Which tags of an interrupted change moved (and where), which did not, and which are unknown."""
    done = [f"{step.tag} {_at(step)}" for step in entry.steps if step.state == "done"]
    asked = [step.tag for step in entry.steps if step.state == "started"]
    left = [step.tag for step in entry.steps if step.state == "planned"]
    if not (done or asked):
        return NOTHING
    said = [f"Done: {some_of(done)}"] if done else []
    said += [f"may have been done: {some_of(asked)}"] if asked else []
    said += [f"not done: {some_of(left)}"] if left else []
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def _at(step: Step) -> str:
    return f"→ {Digest.parse(step.after).short}" if step.after else "removed"
