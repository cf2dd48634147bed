"""Turns a registry's error answers into kittui's errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from kittui.errors import (
    Denied,
    KittuiError,
    NotFound,
    RateLimited,
    RegistryError,
    Unauthorized,
    Unreachable,
)
from kittui.terminal import size_text

_NO_REPOSITORY = re.compile(r"repository\b.{0,300}\b(does not|doesn't) exist", re.IGNORECASE | re.DOTALL)
BODY_LIMIT = 64 * 1024
"""Maximum bytes read of an error's body."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A registry's error (distribution-spec, "Error codes"); both empty if it says nothing usable."""

    code: str = ""
    message: str = ""

    @property
    def lacks_repository(self) -> bool:
        """Whether the registry says that the repository is not there: some say so with 400 or 403."""
        return self.code == "NAME_UNKNOWN" or _NO_REPOSITORY.search(self.message) is not None

    def __str__(self) -> str:
        return ": ".join(part for part in (self.code, self.message) if part)

    @classmethod
    def parse(cls, body: bytes) -> Complaint:
        """Parse the first entry of `errors`; HTML, plain text and empty bodies give nothing."""
        try:
            document = json.loads(body)
            entry = document["errors"][0]
            code, message, detail = entry.get("code"), entry.get("message"), entry.get("detail")
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            return cls()
        words = [text for text in (message, detail) if isinstance(text, str) and text]
        return cls(code[:100] if isinstance(code, str) else "", " - ".join(words)[:500])


@contextmanager
def naming(reference: str) -> Iterator[None]:
    """Add the reference to every error of the block."""
    try:
        yield
    except KittuiError as error:
        error.at(reference)
        raise


def too_long(host: str, length: int | None = None, server: str = "") -> RegistryError:
    """The error for a request that is longer than the registry, or a proxy before it, accepts."""
    request = "a request as long as this one" if length is None else f"a request of {size_text(length)}"
    by = f" ({server[:60]} says so)" if server else ""
    return RegistryError(
        f"{host} does not take {request}: 413, too large{by}",
        status=413,
        hint="Its operator sets that limit: client_max_body_size in nginx (0: none), LimitRequestBody in Apache; "
        "Cloudflare lets through 100 MB.",
    )


def http_problem(status: int, complaint: Complaint, host: str, doing: str) -> KittuiError:
    """The error for an unexpected answer; `doing` completes "could not ..."."""
    said = f" ({complaint})" if str(complaint) else ""
    if status in (400, 403, 404) and complaint.lacks_repository:
        return NotFound(
            f"could not {doing}: {host} has no such repository{said}",
            hint="Check its name. Where pushing creates none, create it first: on the registry's web page, or by its "
            "own command (aws ecr create-repository).",
        )
    if status == 401:
        return Unauthorized(f"{host} wants a login{said}", hint=f"Run: kittui login {host}")
    if status == 403:
        return Denied(
            f"{host} does not allow to {doing}{said}",
            hint=f"Ask for access, or log in as someone else: kittui login {host}",
        )
    if status == 404:
        return NotFound(f"could not {doing}: not found{said}", hint="Check the repository, tag or digest.")
    if status == 413:
        return too_long(host)
    if status == 407:
        problem = Unreachable(
            f"a proxy on the way to {host} wants a login{said}",
            hint="Put name and password into $HTTP_PROXY or $ALL_PROXY: http://NAME:PASSWORD@HOST:PORT.",
        )
        problem.passing = False
        return problem
    if status == 429:
        return RateLimited(
            f"{host} limits the rate of requests and continues refusing{said}",
            hint="Wait a while; a login often raises the limit.",
        )
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    hint = "The registry is in trouble; try again later." if status >= 500 else "See the registry's log for why."
    return RegistryError(f"could not {doing}: {host} answered {phrase}{said}", status=status, hint=hint)
