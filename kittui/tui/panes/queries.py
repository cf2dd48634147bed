"""Parses filters: words in any order, `!` to exclude, `/regex/`, `~fuzzy`, and `name:value` on tags."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final

from kittui.trust.documents import read_age

FIELDS: Final = ("stage", "digest", "signed", "older", "newer")
"""The fields of tags that filters can name."""
_LONGEST = 300
"""Maximum characters of a regular expression."""
_TERM = re.compile(r"!?/(?:\\.|[^/\\])+/(?=\s|\Z)|\S+")


@dataclass(frozen=True, slots=True)
class Term:
    """One condition. `field` and `value` apply to tags only; all else matches a casefolded text."""

    holds: Callable[[str], bool]
    exclude: bool = False
    word: str = ""
    """The plain text, if the condition is nothing else."""
    field: str = ""
    value: str = ""
    age: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Query:
    """All conditions of a filter; `problem` says in words why it can't be used."""

    terms: tuple[Term, ...] = ()
    problem: str = ""

    def matches(self, text: str) -> bool:
        """Whether a text, of any case, meets all conditions."""
        folded = text.casefold()
        return not self.problem and all(term.holds(folded) != term.exclude for term in self.terms)

    @property
    def words(self) -> tuple[str, ...] | None:
        """The words, if the filter consists only of required words."""
        plain = tuple(term.word for term in self.terms if term.word and not term.exclude)
        return plain if len(plain) == len(self.terms) and not self.problem else None

    @property
    def seed(self) -> str:
        """The longest required word; empty if there is none."""
        return max((term.word for term in self.terms if not term.exclude), key=len, default="")

    @property
    def fields(self) -> frozenset[str]:
        """The fields of tags that it uses."""
        return frozenset(term.field for term in self.terms if term.field)


@lru_cache(maxsize=64)
def parse(text: str, *, tags: bool = False) -> Query:
    """Read a filter; `tags` says that `name:value` is understood."""
    terms: list[Term] = []
    for match in _TERM.finditer(text):
        said = match[0].removeprefix("!")
        exclude = said != match[0]
        if not said:
            continue
        try:
            term = _term(said, tags)
        except ValueError as error:
            return Query((), str(error))
        terms.append(Term(term.holds, exclude, term.word, term.field, term.value, term.age))
    return Query(tuple(terms))


def _term(said: str, tags: bool) -> Term:
    if len(said) > 2 and said[0] == said[-1] == "/":
        return Term(_regex(said[1:-1]))
    word = said.casefold()
    if len(word) > 1 and word[0] == "~":
        return Term(_fuzzy(word[1:]))
    field, colon, value = word.partition(":")
    if colon and field in FIELDS and not tags:
        raise ValueError(f"{field}: works only on tags")
    if tags and colon and field.isalpha() and field not in FIELDS:
        raise ValueError(f"there is no {field}: filter, only {', '.join(f'{each}:' for each in FIELDS)}")
    if colon and field in FIELDS:
        age = timedelta()
        if field in ("older", "newer"):
            found = read_age(value)
            if found is None:
                raise ValueError(f"{field}: takes an age such as 12h, 30d, 6w or 1y")
            age = found
        if field == "signed" and not any(word.startswith(value) for word in ("yes", "no")):
            raise ValueError("signed: takes yes or no")
        return Term(lambda _: True, field=field, value=value.removeprefix("sha256:"), age=age)
    return Term(lambda text: word in text, word=word)


def _regex(pattern: str) -> Callable[[str], bool]:
    """Compile an expression with linear search time: Rust's engine, by way of pydantic."""
    from pydantic_core import SchemaError, SchemaValidator, core_schema

    if len(pattern) > _LONGEST:
        raise ValueError("the regular expression is too long")
    try:
        validator = SchemaValidator(core_schema.str_schema(pattern=f"(?i){pattern}", regex_engine="rust-regex"))
    except SchemaError:
        raise ValueError("not a regular expression") from None
    return validator.isinstance_python


def _fuzzy(word: str) -> Callable[[str], bool]:
    def holds(text: str) -> bool:
        left = iter(text)
        return all(character in left for character in word)

    return holds
