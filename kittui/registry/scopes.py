"""The scopes of token requests."""

from __future__ import annotations

from dataclasses import dataclass

_LIMIT = 2048
"""Maximum characters read of a challenge's scopes."""
_MOST = 10


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """The scope of a token: `repository:team/fraud:pull,push`."""

    kind: str
    name: str
    actions: frozenset[str]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{','.join(sorted(self.actions))}"

    def covers(self, other: Scope) -> bool:
        """Whether a token for this scope also covers the other."""
        return (self.kind, self.name) == (other.kind, other.name) and self.actions >= other.actions


def repository_scope(name: str, *actions: str) -> Scope:
    """Actions (pull, push, delete) on a repository."""
    return Scope("repository", name, frozenset(actions))


CATALOG = Scope("registry", "catalog", frozenset({"*"}))
Scopes = frozenset[Scope]


def lacking(text: str, scopes: Scopes) -> tuple[str, ...]:
    """The scopes in a challenge that ours do not cover; invalid ones are skipped."""
    words = [word for word in text[:_LIMIT].split() if word.isascii() and word.isprintable()]
    return tuple(dict.fromkeys(word for word in words[:_MOST] if not _covered(word, scopes)))


def _covered(word: str, scopes: Scopes) -> bool:
    kind, _, rest = word.partition(":")
    name, _, actions = rest.rpartition(":")
    return any(scope.covers(Scope(kind, name, frozenset(actions.split(",")))) for scope in scopes)
