"""`kittui doctor`: check this terminal, the local store and a registry."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from kittui.cli import run
from kittui.cli.checking import configuration_checks, registry_checks, store_checks, store_title, this_terminal
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.errors import UsageError
from kittui.usecases.doctor import REPAIR_ALSO, Check, check_terminal

if TYPE_CHECKING:
    from kittui.store.doctor import StoreReport
    from kittui.store.repair import Repair

_MARKS: Final[dict[str, tuple[str, str]]] = {
    "good": ("ok", "green"),
    "warn": ("!!", "yellow"),
    "bad": ("XX", "red"),
    "unknown": ("??", "dim"),
}


@run.command("doctor", changes=True)
@click.argument("host", metavar="[HOST[/REPOSITORY]]", required=False)
@click.option("--repair", is_flag=True, help="Repair the local store where that loses nothing.")
@click.option("--verify", is_flag=True, help="Hash every blob in the local store.")
async def command(call: Call, host: str | None, repair: bool, verify: bool) -> int:
    """Check what this terminal, the local store and a registry support, and how to fix the rest."""
    from kittui.store.doctor import inspect_store

    composition = call.composition
    terminal = check_terminal(this_terminal(composition, tty=sys.stdout.isatty()))
    configuration = configuration_checks(composition)
    repairs: tuple[Repair, ...] = ()
    if repair:
        call.check_write("local://")
        planned = [one for one in (await inspect_store(composition.store_root)).problems if one.repairable]
        call.preview(
            [
                *(f"{one.subject}: {one.detail}" for one in planned),
                REPAIR_ALSO if planned else "nothing to repair",
            ],
            *({"action": "repair", "kind": one.kind, "subject": one.subject} for one in planned),
        )
        from kittui.store.repair import repair_store

        call.printer.status("repairing the store")
        repairs = (await repair_store(composition.store_root)).repairs
    elif call.options.dry_run:
        raise UsageError(
            "--dry-run needs --repair: doctor changes nothing without it", hint="Add --repair to see what it would do."
        )
    call.printer.status("checking the store")
    store = await inspect_store(composition.store_root, verify=verify)
    registry: list[Check] = []
    if host is not None:
        call.printer.status(f"asking {host}")
        async for check in registry_checks(composition, host):
            registry.append(check)
            call.printer.status(f"asking {host}: {check.name}")
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
        _section(call, store_title(store), store_checks(store))
        for one in repairs:
            call.printer.line(("  repaired  ", "green"), f"{one.subject}: {one.done}")
        if host is not None:
            _section(call, f"Registry {host}", registry)

    call.printer.result(document, human)
    return max((check.exit_status for check in registry), default=0) or (1 if store.problems else 0)


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
