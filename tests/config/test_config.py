"""config.yaml: a mistake names its place and what is allowed, and everything else still counts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kittui.config import Config, Flags, load_config
from kittui.config.loading import parse_config
from kittui.config.values import THEMES
from kittui.modelkit import STAGES

WHOLE = b"""
registries:
  - host: registry.acme.dev
    name: Acme
    repositories: [acme/fraud]
    tls_verify: false
    ca_cert: ~/ca.pem
    realms: [auth.acme.dev]
  - {host: "localhost:5000", plain_http: true}
layouts: [/media/disk]
favourites: [registry.acme.dev/acme/fraud, "local://own"]
stages:
  - champion
  - {name: canary, mark: "\xe2\x97\x88", ascii_mark: c, colour: warn}
moves: {champion: prod, challenger: next}
protected_tags: [prod]
keymap: {tags.retag: "f5"}
theme: kittui-light
mouse: false
reduced_motion: true
ascii: true
concurrency: 12
read_only: true
store: /srv/kit
"""


def test_everything_that_can_be_said() -> None:
    config, problems = parse_config(WHOLE, "c")
    assert problems == []
    assert dict(config.keymap) == {"tags.retag": ("f5",)}
    acme = config.registry("registry.acme.dev")
    assert (acme.name, acme.repositories, acme.tls_verify, acme.realms) == (
        "Acme",
        ("acme/fraud",),
        False,
        ("auth.acme.dev",),
    )
    assert acme.ca_cert == Path.home() / "ca.pem"
    assert config.registry("localhost:5000").plain_http
    assert not config.registry("elsewhere").plain_http
    assert [(stage.name, stage.mark, stage.colour) for stage in config.stages] == [
        ("champion", "★", "good"),
        ("canary", "◈", "warn"),
    ]
    assert (config.moves.champion, config.moves.challenger, config.moves.rollback) == ("prod", "next", "rollback")
    assert (config.theme, config.mouse, config.concurrency, config.read_only) == ("kittui-light", False, 12, True)
    assert (config.store, config.protected_tags, config.layouts) == (Path("/srv/kit"), ("prod",), ("/media/disk",))


@pytest.mark.parametrize(
    ("text", "place", "key", "said"),
    [
        ("a: [", "c:1", "", "not valid YAML"),
        ("- 1", "c", "", "not a map"),
        ("mouse: true\nthem: x", "c:2", "them", "allowed are registries"),
        ("mouse: maybe", "c:1", "mouse", "boolean"),
        ("concurrency: 0", "c:1", "concurrency", "greater than or equal to 1"),
        ("columns: [age, colour]", "c:1", "columns.2", "'digest'"),
        ("columns: [age, age]", "c:1", "columns", "age is named twice"),
        ("columns: age", "c:1", "columns", "tuple"),
        ("concurrency: '6'", "c:1", "concurrency", "integer"),
        ("theme: neon", "c:1", "theme", "allowed are 'kittui-dark'"),
        ("registries:\n  - host: a.b\n  - host: 'x y'", "c:3", "registries.2.host", "not a registry host"),
        ("registries:\n  - name: x", "c:2", "registries.1.host", "missing"),
        ("registries:\n  - {host: a.b, tls: no}", "c:2", "registries.1.tls", "allowed are host, name"),
        ("protected_tags: ['a b']", "c:1", "protected_tags.1", "not a tag"),
        ("favourites: ['UPPER/x']", "c:1", "favourites.1", "repository name"),
        ("stages:\n  - {name: x, mark: ab}", "c:2", "stages.1.mark", "one printable character"),
        ("moves: {to: x}", "c:1", "moves.to", "allowed are challenger"),
        ("keymap: [a]", "c:1", "keymap", "dictionary"),
        ("mouse: true\nkeymap:\n  promote: {a: b}", "c:3", "keymap.promote", "tuple"),
    ],
)
def test_a_mistake_is_named_and_the_default_stands(text: str, place: str, key: str, said: str) -> None:
    config, (problem,) = parse_config(text.encode(), "c")
    assert config == Config()
    assert (problem.place, problem.key) == (place, key)
    assert said in problem.message


def test_keys_are_texts_whatever_yaml_makes_of_them_and_have_their_lines() -> None:
    text = """\
mouse: true
keymap:
  promote: [f6, ctrl+o]
  pane.tags: 9
  copy: no
  only: ~
  sort: f7,f8
  help: ["?", ","]
  group: ","
  diff:
  move.down:
    - 1
    - null
"""
    config, problems = parse_config(text.encode(), "c.yaml")
    assert problems == []
    assert dict(config.keymap) == {
        "promote": ("f6", "ctrl+o"),
        "pane.tags": ("9",),
        "copy": ("no",),
        "only": ("~",),
        "sort": ("f7", "f8"),
        "help": ("?", ","),
        "group": (",",),
        "diff": (),
        "move.down": ("1", "null"),
    }
    assert config.keymap_places["promote"] == "c.yaml:3"
    assert config.keymap_places["move.down"] == "c.yaml:11"


@pytest.mark.parametrize(
    "text", ["keymap: {promote: @}", "keymap: {promote: *}", "keymap:\n  promote: [f6", "keymap: {a: b"]
)
def test_a_keymap_that_is_no_yaml_has_its_line_said(text: str) -> None:
    config, (problem,) = parse_config(text.encode(), "c.yaml")
    assert config == Config()
    assert problem.place.startswith("c.yaml:")
    assert "not valid YAML" in problem.message


def test_one_mistake_leaves_the_rest() -> None:
    config, problems = parse_config(b"theme: neon\nmouse: false\nconcurrency: 9\n", "c")
    assert len(problems) == 1
    assert (config.theme, config.mouse, config.concurrency) == (THEMES[0], False, 9)


def test_flags_beat_the_environment_which_beats_the_file(tmp_path: Path) -> None:
    path = tmp_path / "kittui" / "config.yaml"
    path.parent.mkdir()
    path.write_text("theme: kittui-light\nread_only: false\nconcurrency: 3\n")
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": "/nonexistent"}
    assert load_config(Flags(), environ).config.theme == "kittui-light"
    environ |= {"KITTUI_THEME": "kittui-ansi", "KITTUI_READ_ONLY": "0", "KITTUI_CONCURRENCY": "900"}
    loaded = load_config(Flags(read_only=True), environ)
    assert (loaded.config.theme, loaded.config.read_only, loaded.config.concurrency) == ("kittui-ansi", True, 3)
    assert [problem.place for problem in loaded.problems] == ["$KITTUI_CONCURRENCY"]
    assert loaded.path == path


def test_no_file_is_fine_unless_it_was_named(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert load_config(Flags(), environ).problems == ()
    (problem,) = load_config(Flags(config=tmp_path / "none.yaml"), environ).problems
    assert "no such file" in problem.message
    assert load_config(Flags(config=tmp_path), environ).problems


def test_themes_are_those_of_the_interface() -> None:
    from kittui.tui.style.theme import NAMES

    assert THEMES == NAMES


def test_the_stages_are_kits() -> None:
    assert [stage.name for stage in STAGES] == [
        *("tuning", "validating", "trained", "tuned", "challenger", "champion", "rollback", "retired")
    ]
    assert len({stage.mark for stage in STAGES}) == len({stage.ascii_mark for stage in STAGES}) == 8
    assert all(stage.ascii_mark.isascii() for stage in STAGES)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_named(raw: bytes) -> None:
    config, problems = parse_config(raw, "c")
    assert isinstance(config, Config)
    assert all(problem.place.startswith("c") and problem.message for problem in problems)
    if not problems:
        assert not raw.strip() or yaml.safe_load(raw) in (None, {})


WORDS = st.sampled_from(["registries", "host", "name", "stages", "moves", "keymap", "theme", "mouse", "a.b", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS, lambda x: st.lists(x) | st.dictionaries(WORDS, x), max_leaves=20
)


@given(st.dictionaries(WORDS, VALUES))
def test_any_document_is_read_or_named(document: dict[str, object]) -> None:
    import json

    _, problems = parse_config(json.dumps(document).encode(), "c")
    assert all(problem.place.startswith("c") and problem.message for problem in problems)


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    place = tmp_path / "kittui" / "config.yaml"
    place.parent.mkdir()
    os.mkfifo(place)
    loaded = load_config(environ={"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)})
    assert [problem.message for problem in loaded.problems] == ["it can't be read: it is not a regular file"]


def test_a_link_in_the_place_of_the_file_is_followed_and_a_loop_is_told(tmp_path: Path) -> None:
    place, kept = tmp_path / "kittui" / "config.yaml", tmp_path / "dotfiles.yaml"
    place.parent.mkdir()
    kept.write_text("theme: kittui-light")
    place.symlink_to(kept)
    environ = {"XDG_CONFIG_HOME": str(tmp_path), "HOME": str(tmp_path)}
    assert load_config(environ=environ).config.theme == "kittui-light"
    kept.unlink()
    assert load_config(environ=environ).problems == ()
    kept.symlink_to(place)
    assert "Too many levels of symbolic links" in load_config(environ=environ).problems[0].message
