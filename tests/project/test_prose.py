"""The words of the house: phrases that are not English as an engineer would write it stay out."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PHRASES = {
    "is no X (write: is not an X)": r"(?<!here )\bis no (?!longer\b|more\b|less\b|such\b|other\b|need\b)[a-z]+",
    "are none": r"(?<!there )\bare none\b",
    "that is none": r"\b(what|that) is none\b(?! of)",
    "who asks (write: the caller, the user)": r"\bfor who asks\b|\bto who asks\b",
    "goes on (write: continues)": r"\bgoes on\b|\bwent on\b",
    "tell of (write: report)": r"\btells? of\b",
    "in its midst": r"\bin (its|their|the) midst\b",
    "be it": r"\bbe it\b",
    "at hand": r"\bat hand\b",
    "made (write: created)": r"\b(is|are|was|were) made anew\b",
    "behind (write: after)": r"\bone behind the other\b|\bbehind (it is|the next|the last)\b",
    "it is so already": r"\bis so already\b",
    "is there already (write: exists)": r"\b(is|are) there already\b",
    "what there is to say (write: a remark)": r"\bwhat there is to say\b",
    "names no (write: has no)": r"\bnames no(ne)?\b",
    "be had (write: be read, be listed)": r"\bbe had\b",
    "one a line (write: one per line)": r"\b(one|a fact|a row) a line\b",
    "hears of (write: is called with, gets)": r"\bhears? of\b",
    "warned of (write: warns about)": r"\b(is|are) warned of\b",
    "taken along (write: copied too)": r"\btak(e|es|en|ing) along\b",
    "other bytes (write: different bytes)": r"\bother bytes\b",
    "from where it came": r"\bfrom where it came\b",
    "as the contract has it": r"\bas contract\.md has it\b",
    "every key that is live (write: all keys that work now)": r"\bevery (live key|key that is live)\b",
}


def texts() -> list[Path]:
    """What people read: the program's sources, the documents, the top level's pages."""
    generated = {"commands.md", "example-report.md"}
    documents = [path for path in (ROOT / "docs").glob("*.md") if path.name not in generated]
    return [*(ROOT / "kittui").rglob("*.py"), *documents, ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


def test_no_text_has_a_phrase_that_the_house_avoids() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {name}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for name, pattern in PHRASES.items()
        if re.search(pattern, line)
    ]
    assert not found, "\n".join(found)


def test_no_text_names_a_document_that_is_not_here() -> None:
    """A comment that cites one is followed by nobody."""
    named = re.compile(r"\b[\w/-]+\.md\b")
    missing = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in (ROOT / "kittui").rglob("*.py")
        for name in named.findall(path.read_text(encoding="utf-8"))
        if name.startswith("docs/") and not (ROOT / name).exists()
    ]
    assert not missing
