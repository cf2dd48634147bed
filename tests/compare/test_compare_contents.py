"""Which comparison a file gets, and that what differs can be seen in every form that it is given in."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from kittui.compare.as_json import to_json
from kittui.compare.changes import FileChange, LayerChange, LayerSide, TextChange, ValueChange
from kittui.compare.comparison import Comparison, Version
from kittui.compare.contents import compare_contents
from kittui.compare.html import to_html
from kittui.compare.markdown import to_markdown
from kittui.compare.outline import Entry
from kittui.compare.words import change_words, text_words
from kittui.formats.exact_json import Number
from kittui.tui.compare.details import lines_of, text_lines


def changed(path: str, a: bytes | str, b: bytes | str) -> TextChange:
    one, other = (text.encode() if isinstance(text, str) else text for text in (a, b))
    found = compare_contents(path, one, other)
    assert found is not None
    return found


def forms(text: TextChange) -> list[str]:
    """A change as JSON, Markdown, HTML and in the interface, narrow and wide."""
    side = LayerSide("sha256:" + "0" * 64, 1)
    comparison = Comparison(
        Version("a", "sha256:" + "1" * 64),
        Version("b", "sha256:" + "2" * 64),
        "different",
        layers=(LayerChange("code", "x", "changed", side, side),),
        files=(FileChange("code", text.path, "changed", 1, 2),),
        texts=(text,),
    )
    lines = ["\n".join(map(plain, text_lines(text, width, width > 100))) for width in (60, 160)]
    page = re.sub("<[^>]*>", "", to_html(comparison))
    return [json.dumps(to_json(comparison), ensure_ascii=False), to_markdown(comparison), page, *lines]


def plain(line: object) -> str:
    """A line without its colours."""
    assert isinstance(line, Sequence)
    return line if isinstance(line, str) else "".join(part for part, _ in line)


TEMPLATE = "{%- for message in messages %}\n" + "".join(
    f"{{%- if message.role == 'tool_{number:02}' %}}{{{{- message.content }}}}{{%- endif %}}\n" for number in range(60)
)
CONFIG = {"bos_token": "<s>", "chat_template": TEMPLATE + "<|assistant|>\n", "model_max_length": 131072}
NEW_CONFIG = {**CONFIG, "chat_template": TEMPLATE + "<|assistant|><think>\n"}
VOCABULARY = {f"tok{number}": number for number in range(4000)}
TOKENIZER = {"version": "1.0", "model": {"vocab": VOCABULARY}, "post": {"id": 5}}
NEW_TOKENIZER = {**TOKENIZER, "post": {"id": "think"}}


LONG = "word " * 9000
FAR: list[tuple[str, str, str]] = [
    ("tokenizer_config.json", json.dumps(CONFIG, indent=2), json.dumps(NEW_CONFIG, indent=2)),
    ("tokenizer.json", json.dumps(TOKENIZER), json.dumps(NEW_TOKENIZER)),
    ("template.jinja", TEMPLATE.replace("\n", " ") + "{{ bos }}", TEMPLATE.replace("\n", " ") + "{{ think }}"),
    ("long.txt", LONG + "old" + " tail" * 20, LONG + "think" + " tail" * 20),
    ("cells.csv", f"id,text\n1,{LONG}old\n", f"id,text\n1,{LONG}think\n"),
    ("cells.jsonl", json.dumps({"id": 1, "m": [LONG, "old"]}), json.dumps({"id": 1, "m": [LONG, "think"]})),
    ("inside.jsonl", json.dumps({"id": 1, "m": [LONG + "old"]}), json.dumps({"id": 1, "m": [LONG + "think"]})),
]


@pytest.mark.parametrize(("path", "a", "b"), FAR, ids=[path for path, _, _ in FAR])
def test_a_change_far_into_a_line_is_visible_everywhere(path: str, a: str, b: str) -> None:
    text = changed(path, a, b)
    for form in forms(text):
        assert "think" in form
        assert len(form) < 60_000


def test_json_on_one_line_is_compared_by_value() -> None:
    text = changed("tokenizer.json", json.dumps(TOKENIZER), json.dumps(NEW_TOKENIZER, separators=(",", ":")))
    assert [(value.path, value.a, value.b) for value in text.values] == [("post.id", 5, "think")]
    assert text_words(text).endswith("1 value")
    same = changed("tokenizer.json", json.dumps(TOKENIZER), json.dumps(TOKENIZER, separators=(",", ":")))
    assert (same.values, same.notes[0]) == ((), "the same values, written otherwise")
    short = changed("config.json", '{"a": 1}', '{"a": 2}')
    assert short.values == ()


def test_numbers_are_those_of_the_file() -> None:
    a = {"x": 1, "pad": "p" * 400}
    one = json.dumps(a).replace("1", "12345678901234567890.1234", 1)
    text = changed("config.json", one, one.replace("1234,", "1235,"))
    (value,) = text.values
    assert change_words(value).startswith("12345678901234567890.1234 → 12345678901234567890.1235")
    long = "0.1000000000000000055511151231257827"
    kitfile = (ValueChange("x", "changed", Number("0.10"), Number(long)),)
    exact = to_json(Comparison(Version("a", "d"), Version("b", "e"), "different", kitfile=kitfile))
    assert (exact["kitfile"][0]["a"], exact["kitfile"][0]["b"]) == (0.1, long)


def notebook(**changes: Any) -> str:
    cell = {"cell_type": "code", "source": "print(1)", "metadata": {}, "outputs": [], "execution_count": 1}
    cell |= {key: value for key, value in changes.items() if key in cell}
    about = {key: value for key, value in changes.items() if key not in cell}
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **about})


def printed(text: str) -> list[dict[str, Any]]:
    return [{"output_type": "stream", "name": "stdout", "text": text}]


def test_a_notebook_shows_what_changed_beside_its_sources() -> None:
    text = changed("n.ipynb", notebook(metadata={"gpu": "T4"}), notebook(metadata={"gpu": "A100"}))
    assert [value.path for value in text.values] == ["cells[1].metadata.gpu"]
    assert all("A100" in form for form in forms(text))
    old, new = (json.dumps({**json.loads(notebook()), "metadata": {"colab": {"gpu": gpu}}}) for gpu in ("T4", "A100"))
    text = changed("n.ipynb", old, new)
    assert text_words(text) == "1 metadata value"
    assert all("A100" in form for form in forms(text))
    text = changed("n.ipynb", notebook(outputs=printed("loss 0.4\n")), notebook(outputs=printed("loss 0.5\n")))
    assert text_words(text) == "1 cell, +1 −1 lines"
    assert [hunk.section for hunk in text.hunks] == ["cell 1 (output), changed"]
    assert all("loss 0.5" in form for form in forms(text))


def test_json_nested_to_the_last_is_lines() -> None:
    deep = "[" * 985 + "{}" + "]" * 985
    text = changed("deep.json", deep.format(1), deep.format(2))
    assert [line.text[-986:-985] for hunk in text.hunks for line in hunk.lines] == ["1", "2"]
    line = '{{"id": 1, "x": {}}}\n'
    rows = changed("deep.jsonl", line.format(deep.format(1)), line.format(deep.format(2)))
    assert [line.text[-987:-986] for hunk in rows.hunks for line in hunk.lines] == ["1", "2"]


def test_a_long_value_is_shown_where_it_differs() -> None:
    change = ValueChange("parameters.template", "changed", TEMPLATE + "bos", TEMPLATE + "eos")
    entry = Entry("value", change.path, "", "changed", (), change)
    lines = [plain(line) for line in lines_of(entry, 80, side_by_side=False, numbers=False)]
    assert [line for line in lines if line.startswith(("- ", "+ "))] == ["- bos", "+ eos"]
    assert "bos" in change_words(change)
    assert "eos" in change_words(change)
    assert len(change_words(change)) < 500
