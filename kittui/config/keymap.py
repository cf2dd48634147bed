"""The keymap of config.yaml as written: keys stay text whatever YAML would turn them into, each with its line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml


def written_keymap(node: yaml.Node) -> tuple[dict[str, Any] | None, dict[str, int]]:
    """The keymap with its keys as texts (`9`, `~` and `no` too), and the line of each command.

    None unless it is a mapping of texts and lists of texts.
    """
    import yaml

    found = _value(node, "keymap")
    if not isinstance(found, yaml.MappingNode):
        return None, {}
    keymap: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for name, value in found.value:
        if isinstance(value, yaml.SequenceNode) and all(isinstance(each, yaml.ScalarNode) for each in value.value):
            keymap[str(name.value)] = [each.value for each in value.value]
        elif isinstance(value, yaml.ScalarNode):
            keymap[str(name.value)] = value.value
        else:
            return None, {}
        lines[str(name.value)] = name.start_mark.line + 1
    return keymap, lines


def _value(node: yaml.Node, key: str) -> yaml.Node | None:
    import yaml

    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)
