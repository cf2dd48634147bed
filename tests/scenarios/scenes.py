"""What users do in the demo, step by step. Keys are as Textual spells them; `sees` is what is on the screen then."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that a user does, and what it shows; `lacks` must not be on the screen then."""

    says: str
    keys: tuple[str, ...]
    sees: tuple[str, ...]
    lacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """A story in steps, from the demo's first screen on."""

    name: str
    tells: str
    steps: tuple[Step, ...]


def step(says: str, keys: str, *sees: str, lacks: tuple[str, ...] = ()) -> Step:
    """A step whose keys are separated by blanks."""
    return Step(says, tuple(keys.split()), sees, lacks)


SCENARIOS = (
    Scenario(
        "look",
        "An engineer looks for a file inside a layer and reads it without pulling.",
        (
            step("open the tags", "2", "champion", "challenger"),
            step("go to the layers of the champion", "enter", "3 Layers"),
            step("open the model's layer", "l", "fraud.safetensors"),
            step("go to the file", "j", "fraud.safetensors"),
            step("view its tensors", "v", "tensors"),
            step("go back", "escape", "3 Layers"),
        ),
    ),
    Scenario(
        "compare",
        "A reviewer compares the challenger with the champion.",
        (
            step("open the tags", "2", "champion"),
            step("mark the champion, then the challenger", "g space space", "2 marked"),
            step("compare them", "d", "champion", "challenger", "changed"),
            step("go to the first change", "n", "Kitfile"),
            step("go back to the tags", "escape", "2 Tags", lacks=("marked",)),
        ),
    ),
    Scenario(
        "promote",
        "An operator promotes the challenger, looks at the record, and takes it back.",
        (
            step("open the tags", "2", "champion"),
            step("ask for the promotion", "c", "Promote", "rollback", "champion"),
            step("confirm", "enter enter", "undoes it"),
            step("look at the history", "H", "promote"),
            step("ask for the undo", "escape 2 z", "Undo"),
            step("confirm", "enter", "2 Tags"),
        ),
    ),
    Scenario(
        "filter",
        "A fast typist finds a tag by its letters.",
        (
            step("open the tags", "2", "champion"),
            step("type a filter in one burst", "slash v a l enter", "validating", lacks=("rollback",)),
            step("drop it", "escape", "rollback"),
        ),
    ),
)


def named(name: str) -> Scenario:
    """The scenario of a name; raises KeyError."""
    return {scenario.name: scenario for scenario in SCENARIOS}[name]
