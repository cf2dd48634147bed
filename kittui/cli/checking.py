"""What `doctor` and its screen check: terminal, configuration, store, registries."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from kittui.cli.compose import Composition
from kittui.cli.terminals import locale_of, shows_utf8
from kittui.disk.paths import is_nowhere
from kittui.errors import KittuiError, UsageError
from kittui.oci.reference import Place
from kittui.terminal import counted, size_text
from kittui.usecases.doctor import Check, Terminal, check_registry, check_terminal

if TYPE_CHECKING:
    from kittui.store.doctor import StoreReport
    from kittui.store.installed import InstalledKit
    from kittui.store.survey import Problem


async def examine(
    composition: Composition, terminal: Terminal, registries: Sequence[Place], *, verify: bool = False
) -> AsyncIterator[tuple[str, Check]]:
    """Run all checks and yield each with its section's title; with `verify`, every blob is hashed."""
    from kittui.store.doctor import inspect_store

    for check in check_terminal(terminal):
        yield "Terminal", check
    for check in configuration_checks(composition):
        yield "Configuration", check
    report = await inspect_store(composition.store_root, verify=verify)
    for check in store_checks(report):
        yield store_title(report), check
    for place in registries:
        try:
            async for check in registry_checks(composition, place.host):
                yield f"Registry {place.host}", check
        except KittuiError as error:
            yield f"Registry {place.host}", Check("registry", "bad", error.message, error.hint or "")


def this_terminal(composition: Composition, *, tty: bool) -> Terminal:
    """What is known of the terminal that stdout leads to."""
    size = shutil.get_terminal_size()
    # While the interface runs, it replaces sys.stdout to capture prints.
    encoding = getattr(sys.__stdout__, "encoding", None) or ""
    if not shows_utf8(composition.environ):
        # Python writes UTF-8 in the C locale too, but the terminal may not show it.
        encoding = f"locale {locale_of(composition.environ)}"
    return Terminal(tty, encoding, size.columns, size.lines, composition.environ)


def configuration_checks(composition: Composition) -> list[Check]:
    """The mistakes in config.yaml, including its keymap."""
    checks = [Check("configuration", "bad", str(problem)) for problem in composition.problems]
    if composition.config.keymap:
        from kittui.tui.app import key_names

        _, problems = key_names(composition.config.keymap, composition.config.keymap_places).usable()
        checks += [Check("keymap", "warn", problem) for problem in problems]
    if checks:
        return checks
    path = composition.config_path
    seen = "none: no home folder is known" if is_nowhere(path) else f"{path}{'' if path.exists() else ' (not there)'}"
    return [Check("configuration", "good", seen)]


async def registry_checks(composition: Composition, host: str) -> AsyncIterator[Check]:
    """What a registry can do, checked on the registry and on the named repository."""
    found = composition.places.parse_source(host)
    place = found if isinstance(found, Place) else found.place
    if place.kind != "remote":
        raise UsageError(f"{host!r} is not a registry", hint="doctor takes HOST, HOST:PORT or HOST/REPOSITORY.")
    named = [] if isinstance(found, Place) else [found.repository]
    repositories = [*named, *composition.config.registry(place.host).repositories]
    async for check in check_registry(composition.places.source(place), repositories):
        yield check


def store_title(store: StoreReport) -> str:
    """The title of the store's section."""
    return "Store" if is_nowhere(store.root) else f"Store {store.root}"


def store_checks(store: StoreReport) -> list[Check]:
    """What the store contains, and what is wrong with it."""
    if is_nowhere(store.root):
        return [
            Check(
                "home folder", "warn", "the home folder is unknown, so there is no store", "Set KITOPS_HOME, or HOME."
            )
        ]
    holds = (
        f"{counted(store.repositories, 'repository')}, {counted(store.tags, 'tag')}, "
        f"{counted(store.manifests, 'ModelKit')}, {counted(store.blobs, 'blob')}, {size_text(store.size)}"
    )
    checks = [Check("holds", "good", holds), _kit(store.kit)]
    if store.unused:
        checks.append(
            Check(
                "unused",
                "warn",
                f"{size_text(store.unused)} that no ModelKit uses",
                "kittui doctor --repair frees it.",
                repairable=True,
            )
        )
    return checks + [_problem(problem) for problem in store.problems]


def _kit(kit: InstalledKit) -> Check:
    """Which kit is installed, and what it can't read: kittui keeps that out of the store too."""
    if kit.path is None:
        return Check(
            "kit", "unknown", kit.words, "kittui writes only what every version of kit can read into the store."
        )
    if not kit.misses:
        return Check("kit", "good", kit.words)
    return Check(
        "kit",
        "unknown" if kit.version is None else "warn",
        f"{kit.words}; it may be unable to read {', '.join(kit.misses)}",
        "kittui keeps ModelPacks and indexes out of its store. Use a layout (oci:DIR:TAG) or a newer kit.",
    )


def _problem(problem: Problem) -> Check:
    seen = f"{problem.subject}: {problem.detail}" + (" (every `kit list` fails on it)" if problem.breaks_kit else "")
    remedy = "kittui doctor --repair repairs it." if problem.repairable else problem.remedy
    return Check(problem.kind, "bad", seen, remedy, repairable=problem.repairable)
