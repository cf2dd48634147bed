"""`kittui diff` and `kittui timeline`: exit statuses, JSON, reports."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kittui.compare.changes import Hunk, LayerChange, LayerSide, Line, TextChange, ValueChange
from kittui.compare.comparison import Comparison, Version
from kittui.compare.html import to_html
from kittui.compare.markdown import code, to_markdown
from tests.fakes.command_line import Run

OLD, NEW = "local://127.0.0.1:5055/fraud:v1.0.0", "local://127.0.0.1:5055/fraud:v1.1.0"
ROOT = Path(__file__).parents[2]
STATUSES = {"same", "added", "removed", "changed", "moved", "repacked", "not_compared"}


def test_exit_statuses_follow_the_manifests(kittui: Run) -> None:
    assert kittui("diff", OLD, NEW).status == 0
    assert kittui("diff", OLD, NEW, "--exit-code").status == 1
    assert kittui("diff", OLD, "local://127.0.0.1:5055/fraud:champion", "--exit-code").status == 0
    sentiment = "local://127.0.0.1:5055/sentiment:v2.0.0"
    assert kittui("diff", sentiment, f"{sentiment}-none", "--exit-code").status == 1


def test_an_error_is_never_taken_for_a_difference(kittui: Run) -> None:
    gone = "local://127.0.0.1:5055/fraud:gone"
    assert kittui("diff", OLD, gone).status == 1
    asked = kittui("diff", OLD, gone, "--exit-code", "--json")
    assert (asked.status, asked.out) == (2, "")
    assert '"code": "not-found"' in asked.err
    assert kittui("diff", OLD, NEW, "--markdown", "--html").status == 2
    assert kittui("diff", OLD, "::", "--exit-code").status == 2


def test_json_has_what_the_contract_names(kittui: Run) -> None:
    found = kittui("diff", OLD, NEW, "--json", "--content").json
    assert found["identical"] is False
    assert found["verified"] is True
    assert set(found["a"]) >= {"reference", "digest"}
    assert set(found["traffic"]) == {"requests", "bytes"}
    rate = next(change for change in found["kitfile"] if change["path"] == "model.parameters.learning_rate")
    assert (rate["status"], rate["a"], rate["b"]) == ("changed", 0.005, 0.003)
    keys = {
        "layers": {"type", "path", "status", "a", "b"},
        "files": {"layer_type", "path", "status", "size_a", "size_b"},
        "texts": {"path", "hunks"},
        "metadata": {"file", "key", "status", "a", "b"},
        "tensors": {
            *("file", "name", "status", "dtype_a", "dtype_b", "shape_a", "shape_b"),
            *("changed_fraction", "max_abs_diff"),
        },
    }
    for part, names in keys.items():
        assert found[part]
        for entry in found[part]:
            assert names <= set(entry)
            assert entry.get("status", "same") in STATUSES
    tensor = next(entry for entry in found["tensors"] if entry["name"] == "dense2.weight")
    assert (tensor["status"], tensor["changed_fraction"]) == ("changed", 1.0)


def test_the_report_for_people_reads_without_colour(kittui: Run) -> None:
    out = kittui("diff", OLD, NEW).out
    assert "\x1b" not in out
    for line in (
        "  ~ model.parameters.learning_rate  0.005 → 0.003  −40 %",
        "  - docs[docs/MODEL_CARD.md]",
        "  + src/features.py  124 B",
        "~ T000041: amount 2.00 → 999.99, is_fraud 0 → 1",
        '-  "epochs": 12,',
    ):
        assert line in out


def test_the_example_in_the_documentation_is_what_is_printed(kittui: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    place = "oci:kittui/demo/layout/acme/fraud-detector"
    ran = kittui("diff", f"{place}:champion", f"{place}:challenger", "--content", "--markdown")
    assert ran.out == (ROOT / "docs" / "example-report.md").read_text()


def test_a_value_over_the_versions(kittui: Run) -> None:
    found = kittui("timeline", "local://127.0.0.1:5055/fraud", "model.parameters.learning_rate", "--json").json
    values = {tag: version["value"] for version in found["versions"] for tag in version["tags"]}
    assert (values["v0.9.0"], values["v1.0.0"], values["challenger"], values["tuning"]) == (0.01, 0.005, 0.003, None)
    assert kittui("timeline", "local://127.0.0.1:5055/fraud", "tensor:x").status == 2


HOSTILE = "</code></pre><script>alert(1)</script>`|[x](javascript:y)\x1b[31m\u202e"


def hostile() -> Comparison:
    """Every text of a comparison tries to be more than text."""
    version = Version(HOSTILE, "sha256:" + "0" * 64, tags=(HOSTILE,), repository=HOSTILE)
    line = Line("+", HOSTILE, ((0, 5),))
    side = LayerSide("sha256:" + "1" * 64, 1, HOSTILE)
    return Comparison(
        version,
        version,
        "different",
        kitfile=(ValueChange(HOSTILE, "changed", HOSTILE, {"x": HOSTILE}),),
        layers=(LayerChange(HOSTILE, HOSTILE, "changed", side, side),),
        texts=(TextChange(HOSTILE, "text", (Hunk(0, 0, 1, 1, (line,), HOSTILE),), notes=("```", HOSTILE)),),
        notes=(HOSTILE,),
    )


class Tags(HTMLParser):
    """Names of the elements that a browser would make."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def test_html_is_one_page_of_escaped_text() -> None:
    page = to_html(hostile())
    tags = Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    assert "a" not in tags.seen
    assert "\x1b" not in page
    assert "http" not in page.replace("http-equiv", "")


def test_markdown_never_lets_a_text_out_of_its_place() -> None:
    report = to_markdown(hostile())
    assert "\x1b" not in report
    report = re.sub(r"^(`{3,})diff\n.*?^\1$", "", report, flags=re.MULTILINE | re.DOTALL)
    outside = re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "", report)
    assert "<script" not in outside
    assert code("a`b") == "``a`b``"
    assert code("``") == "``` `` ```"
    assert "|" not in code("a|b")
