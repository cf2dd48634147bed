"""Reads the YAML of a Kitfile as written by people, treating it as hostile."""

from __future__ import annotations

from typing import Any, Final

import yaml

from kittui.budget import Budget
from kittui.errors import Malformed

ALIAS_LIMIT: Final = 100
"""Maximum aliases in a Kitfile's YAML: each may repeat a large part of it."""


def read_yaml(text: str | bytes, budget: Budget) -> Any:
    """The document; raises Malformed, and TooLarge beyond the budget."""
    try:
        return _Loader.read(text, budget)
    except (yaml.YAMLError, RecursionError, ValueError, OverflowError, UnicodeError) as error:
        problem = getattr(error, "problem", None) or "it is not valid YAML"
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark is not None else ""
        raise Malformed(f"the Kitfile can't be read{where}: {problem}") from None


class _Loader(yaml.SafeLoader):
    """A SafeLoader that rejects many aliases and deep nesting, and reads timestamps as text."""

    def __init__(self, stream: str | bytes, budget: Budget) -> None:
        super().__init__(stream)
        self._aliases = 0
        self._depth = 0
        self._budget = budget

    @classmethod
    def read(cls, text: str | bytes, budget: Budget) -> Any:
        loader = cls(text, budget)
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            self._aliases += 1
            if self._aliases > ALIAS_LIMIT:
                raise Malformed(f"the Kitfile has more than {ALIAS_LIMIT} aliases")
        self._depth += 1
        try:
            self._budget.descend(self._depth)
            self._budget.tick()
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def _as_text(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> str:
    return str(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _as_text)
