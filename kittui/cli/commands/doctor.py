"""`kittui doctor`: what this terminal, this store and a registry can do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from kittui.cli import run
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.disk.paths import is_nowhere
from kittui.errors import UsageError
from kittui.oci.reference import Place
from kittui.terminal import size_text
from kittui.usecases.doctor import Check, Terminal, check_registry, check_terminal

if TYPE_CHECKING:
    from kittui.store.doctor import Problem, StoreReport
    from kittui.store.installed import InstalledKit
    from kittui.store.repair import Repair

_MARKS: Final[dict[str, tuple[str, str]]] = {
    "good": ("ok", "green"),
    "warn": ("!!", "yellow"),
    "bad": ("XX", "red"),
    "unknown": ("??", "dim"),
}


@run.command("doctor")
@click.argument("host", metavar="[HOST[/REPOSITORY]]", required=False)
@click.option("--repair", is_flag=True, help="Mend what can be mended in the local store without losing anything.")
@click.option("--verify", is_flag=True, help="Hash every blob in the local store.")
async def command(call: Call, host: str | None, repair: bool, verify: bool) -> int:
    """Show what this terminal, the local store and a registry can do, and what to do about the rest."""
    from kittui.store.doctor import inspect_store

    composition = call.composition
    terminal = check_terminal(_terminal(call))
    configuration = [Check("configuration", "bad", str(problem)) for problem in composition.problems]
    if not configuration:
        path = composition.config_path
        seen = f"{path}{'' if path.exists() else ' (not there)'}"
        if is_nowhere(path):
            seen = "none: no home folder is known"
        configuration = [Check("configuration", "good", seen)]
    repairs: tuple[Repair, ...] = ()
    if repair:
        from kittui.store.repair import repair_store

        composition.policy.check_write("local://")
        call.printer.status("mending the store")
        repairs = (await repair_store(composition.store_root)).repairs
    call.printer.status("looking at the store")
    store = await inspect_store(composition.store_root, verify=verify)
    registry = [] if host is None else await _registry(call, host)
    document = {
        "terminal": [_check(check) for check in terminal],
        "configuration": [_check(check) for check in configuration],
        "store": _store(store),
        "repairs": [{"kind": one.kind, "subject": one.subject, "done": one.done} for one in repairs],
        "registry": [_check(check) for check in registry],
    }

    def human() -> None:
        _section(call, "Terminal", terminal)
        _section(call, "Configuration", configuration)
        _section(call, "Store" if is_nowhere(store.root) else f"Store {store.root}", _store_checks(store))
        for one in repairs:
            call.printer.line(("  mended  ", "green"), f"{one.subject}: {one.done}")
        if host is not None:
            _section(call, f"Registry {host}", registry)

    call.printer.result(document, human)
    return max((check.exit_status for check in registry), default=0) or (1 if store.problems else 0)


def _terminal(call: Call) -> Terminal:
    size = shutil.get_terminal_size()
    encoding = getattr(sys.stdout, "encoding", None) or ""
    return Terminal(sys.stdout.isatty(), encoding, size.columns, size.lines, call.composition.environ)


async def _registry(call: Call, host: str) -> list[Check]:
    found = call.composition.places.parse_source(host)
    place = found if isinstance(found, Place) else found.place
    if place.kind != "remote":
        raise UsageError(f"{host!r} is not a registry", hint="doctor takes HOST, HOST:PORT or HOST/REPOSITORY.")
    named = [] if isinstance(found, Place) else [found.repository]
    checks = []
    call.printer.status(f"asking {place.host}")
    repositories = [*named, *call.composition.config.registry(place.host).repositories]
    async for check in check_registry(call.composition.places.source(place), repositories):
        checks.append(check)
        call.printer.status(f"asking {place.host}: {check.name}")
    return checks


def _store_checks(store: StoreReport) -> list[Check]:
    if is_nowhere(store.root):
        return [Check("home folder", "warn", "none is known, so there is no store", "Set KITOPS_HOME, or HOME.")]
    holds = (
        f"{store.repositories} repositories, {store.tags} tags, {store.manifests} ModelKits, "
        f"{store.blobs} blobs, {size_text(store.size)}"
    )
    checks = [Check("holds", "good", holds), _kit(store.kit)]
    if store.unused:
        checks.append(Check("unused", "warn", f"{size_text(store.unused)} that no ModelKit uses", "--repair frees it."))
    return checks + [_problem(problem) for problem in store.problems]


def _kit(kit: InstalledKit) -> Check:
    """Which kit is installed, and what it can't read: that does not get into the store either."""
    if kit.path is None:
        return Check("kit", "unknown", kit.words, "Only what every kit reads is put into the store.")
    if not kit.misses:
        return Check("kit", "good", kit.words)
    return Check(
        "kit",
        "unknown" if kit.version is None else "warn",
        f"{kit.words}; it is not known to read {', '.join(kit.misses)}",
        "ModelPacks are kept out of its store, and so are indexes: use a layout, oci:DIR:TAG, or a newer kit.",
    )


def _problem(problem: Problem) -> Check:
    seen = f"{problem.subject}: {problem.detail}" + (" (every `kit list` fails on it)" if problem.breaks_kit else "")
    remedy = "kittui doctor --repair mends it." if problem.repairable else problem.remedy
    return Check(problem.kind, "bad", seen, remedy)


def _section(call: Call, title: str, checks: Sequence[Check]) -> None:
    call.printer.line((title, "bold"))
    for check in checks:
        mark, style = _MARKS[check.state]
        parts: list[Styled] = ["  ", (mark, style), f"  {check.name:<14}", check.seen]
        call.printer.line(*parts)
        if check.remedy and check.state != "good":
            call.printer.line(" " * 20, (check.remedy, "dim"))


def _check(check: Check) -> dict[str, Any]:
    return {"name": check.name, "state": check.state, "seen": check.seen, "remedy": check.remedy or None}


def _store(store: StoreReport) -> dict[str, Any]:
    from kittui.store.installed import version_text

    return {
        "root": str(store.root),
        "repositories": store.repositories,
        "tags": store.tags,
        "manifests": store.manifests,
        "blobs": store.blobs,
        "size": store.size,
        "unused": store.unused,
        "kit": {
            "path": store.kit.path,
            "version": version_text(store.kit.version) if store.kit.version else None,
            "not_read": store.kit.misses,
        },
        "problems": [
            {
                "kind": problem.kind,
                "subject": problem.subject,
                "detail": problem.detail,
                "repairable": problem.repairable,
                "breaks_kit": problem.breaks_kit,
                "remedy": problem.remedy or None,
            }
            for problem in store.problems
        ],
    }
