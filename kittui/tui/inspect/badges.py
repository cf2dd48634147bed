"""Badges for the risks of a layer's files: a mark and a word on their rows; never that they are safe."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from kittui.formats.loading import is_loaded
from kittui.formats.tar import FileEntry
from kittui.usecases.inspect.files import ListedLayer
from kittui.usecases.inspect.risk import EXECUTABLES, SCRIPTS, assess
from kittui.usecases.inspect.scan import READ

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.scan import ScanReport

MARK = "▲"
WORDS = {"pickle": "imports code", "executable": "program", "script": "script"}
"""Names of findings on rows."""
LOOKED = "looked at"
"""A file that was followed to its end and imports nothing unusual: that is all that can be said of it."""
REACH = 2 * 1024 * 1024
"""Bytes of one file that are read at most to assess a layer without being asked to."""
OPENED = 16
"""Files that are opened at most to assess a layer without being asked to: a few kilobytes of each are read."""


@dataclass(slots=True)
class Known:
    """The risks of all layers and ModelKits that were assessed in this session."""

    badges: dict[tuple[str, str], Badges] = field(default_factory=dict)
    scans: dict[str, ScanReport] = field(default_factory=dict)

    def of(self, repository: Repository, layer: Layer) -> Badges:
        """The badges of a layer's files: those of another source are its own."""
        key = (str(repository.source.place), f"{repository.name}@{layer.digest}")
        return self.badges.setdefault(key, Badges())


_KNOWN: WeakKeyDictionary[Inspector, Known] = WeakKeyDictionary()


def known_by(inspector: Inspector) -> Known:
    """What is known of what this inspector has read."""
    return _KNOWN.setdefault(inspector, Known())


@dataclass(slots=True)
class Badges:
    """Badges by path. `assessed`: the files were looked at; until then pickles are only called what they are."""

    found: dict[str, str] = field(default_factory=dict)
    scanned: dict[str, str] = field(default_factory=dict)
    judged: bool = False
    followed: frozenset[str] = frozenset()

    def concerns(self, entry: FileEntry) -> bool:
        """Whether a file's name or mode is a reason to look into it."""
        if entry.type != "file":
            return False
        name = entry.path.lower()
        return (
            is_loaded(name)
            or name.endswith((*EXECUTABLES, *SCRIPTS))
            or bool(entry.mode & 0o111 and "." not in name.rpartition("/")[2])
        )

    def may_concern(self, entry: FileEntry) -> bool:
        """Whether anything may ever be known of a file: of the others no row needs to ask."""
        return self.concerns(entry) or (entry.type == "file" and entry.path.lower().endswith(READ))

    def of(self, path: str) -> str:
        """A file's badge; empty if nothing is known."""
        said = [text for text in (self.scanned.get(path), self.found.get(path)) if text]
        if said:
            return f"{MARK} {' · '.join(said)}"
        if path in self.followed:
            return LOOKED if is_loaded(path) else ""
        return "not looked at" if is_loaded(path) else ""

    async def assess(self, inspector: Inspector, repository: Repository, modelkit: ModelKit, layer: Layer) -> str:
        """Assess the files of a listed layer; returns the layer's own badge.

        Raises what reading the layer raises.
        """

        async def decline(_: object) -> bool:
            return False

        listing = await inspector.listing(repository, layer, ask=decline)
        reasons = [entry for entry in listing.files if self.concerns(entry)]
        if not self.judged and reasons and len(reasons) <= OPENED:
            listed = [ListedLayer(layer, replace(listing, files=tuple(reasons)))]
            report = await assess(inspector, repository, modelkit, listed, reach=REACH)
            self.found.update({one.path: WORDS[one.kind] for one in report.findings if one.kind in WORDS})
            self.judged, self.followed = True, report.followed
        else:
            names = {entry.path: entry.path.lower() for entry in reasons}
            self.found.update({path: "program" for path, name in names.items() if name.endswith(EXECUTABLES)})
            self.found.update({path: "script" for path, name in names.items() if name.endswith(SCRIPTS)})
        return self.summary

    @property
    def summary(self) -> str:
        """A few words for the layer's row."""
        words = [*self.scanned.values(), *self.found.values()]
        order = list(WORDS.values())
        worst = sorted(dict.fromkeys(words), key=lambda word: order.index(word) if word in order else -1)
        counts = [(word, words.count(word)) for word in worst]
        said = ", ".join(word if count == 1 else f"{count} × {word}" for word, count in counts)
        return f"{MARK} {said}" if said else ""
