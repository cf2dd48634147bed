"""The Risk tab: what was found, what was looked at for it, what was not; and ModelScan's word beside ours."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.errors import KittuiError, Unsupported
from kittui.terminal import clean, size_text
from kittui.tui.inspect.badges import MARK, known_by
from kittui.tui.widgets.documents import heading
from kittui.tui.widgets.lines import Line, Page
from kittui.usecases.inspect.files import FoundFile, list_layers
from kittui.usecases.inspect.prices import FREE
from kittui.usecases.inspect.risk import assess
from kittui.usecases.inspect.scan import READ, scan_files

if TYPE_CHECKING:
    from kittui.tui.frame.context import Context
    from kittui.tui.frame.ports import Ports
    from kittui.tui.frame.selection import Selection
    from kittui.usecases.inspect.files import FoundFile, ListedLayer
    from kittui.usecases.inspect.risk import RiskReport
    from kittui.usecases.inspect.scan import ScanReport

NAMES = 40
"""Files that are named at most where there are many of a kind."""


async def load_risk(ports: Ports, selection: Selection) -> Page:
    """List the layers that cost nothing to list, look at their files, and say both."""
    kit, repository = selection.modelkit, selection.repository
    if kit is None or repository is None:
        return Page()
    inspector = ports.inspector()
    listed = await list_layers(inspector, repository, kit.layers)
    report = await assess(inspector, repository, kit, listed)
    return risk_page(report, listed, known_by(inspector).scans.get(str(kit.digest)), installed())


def installed() -> bool:
    """Whether ModelScan can be run."""
    return shutil.which("modelscan") is not None


def risk_page(report: RiskReport, listed: Sequence[ListedLayer], scan: ScanReport | None, can_scan: bool) -> Page:
    """The tab's lines. It says what was found and what was looked at; that nothing was found is not a verdict."""
    lines: list[Line] = []
    if report.findings:
        lines.append(((f"{MARK} {len(report.findings)} to check before loading it", "warn+bold"),))
    else:
        lines.append((("○ Nothing known was found in what was looked at.", "text+bold"),))
    for finding in report.findings:
        lines += ["", ((f"{MARK} ", "warn"), (finding.kind, "key"), (f"  {clean(finding.path)}", "text"))]
        lines.append(((f"  {clean(finding.text)}", "muted"),))
    looked = sum(one.listing is not None for one in listed)
    lines += ["", heading("Looked at"), ((f"{looked} of {len(listed)} layers; {clean(report.looked)}.", "muted"),)]
    if report.skipped:
        lines += ["", heading("Not looked at")]
        lines += [((clean(text), "muted"),) for text in report.skipped[:NAMES]]
        lines += _more(report.skipped)
    return Page([*lines, "", heading("ModelScan"), *_scan_lines(scan, can_scan)])


def _scan_lines(scan: ScanReport | None, can_scan: bool) -> list[Line]:
    if scan is None and not can_scan:
        return [(("Not installed. To use it too: uv tool install modelscan", "muted"),)]
    if scan is None:
        return [(("Not run. ", "muted"), ("S", "accent+bold"), (" scans a copy of the files with it.", "muted"))]
    lines: list[Line] = [((clean(scan.badge), "warn" if scan.issues else "text"),)]
    for issue in scan.issues:
        what = " ".join(filter(None, (issue.module, issue.operator)))
        lines += ["", ((f"{MARK} ", "warn"), (clean(issue.severity), "key"), (f"  {clean(issue.path)}", "text"))]
        lines.append(((f"  {clean(what)}  {clean(issue.description)}", "muted"),))
    for title, paths in (
        ("Files that it could not read", [f"{path}: {reason}" for path, reason in scan.failed]),
        ("Files that it did not scan", scan.skipped),
    ):
        if paths:
            lines += ["", ((title, "muted"),)]
            lines += [((f"  {clean(path)}", "muted"),) for path in paths[:NAMES]]
            lines += _more(paths)
    return lines


def _more(names: Sequence[str]) -> list[Line]:
    return [((f"  and {len(names) - NAMES:,} more", "muted"),)] if len(names) > NAMES else []


async def scan_selected(context: Context) -> None:
    """Copy the files that ModelScan looks into, saying before what that costs, and put its findings beside them."""
    from kittui.tui.dialogs.confirm import ConfirmDialog

    kit, repository = context.selection.modelkit, context.selection.repository
    if kit is None or repository is None:
        return
    if not installed():
        raise Unsupported("ModelScan is not installed", hint="Install it beside kittui: uv tool install modelscan")
    inspector = context.ports.inspector()
    listed = await list_layers(inspector, repository, kit.layers)
    files = [
        FoundFile(one.layer, entry)
        for one in listed
        for entry in (one.listing.files if one.listing is not None else ())
        if entry.type == "file" and not entry.problem
    ]
    copied = [found for found in files if found.entry.path.lower().endswith(READ)]
    size = sum(found.entry.size for found in copied)
    unlisted = [one for one in listed if one.listing is None]
    words = [f"{len(copied)} of {len(files)} files are of kinds that it scans: {size_text(size)} to read."]
    words.append("They are copied to a temporary folder, scanned there by the program modelscan, and deleted.")
    if unlisted:
        words.append(f"{len(unlisted)} layers were not listed, so their files are not scanned.")
    if size > FREE and not await context.ask(ConfirmDialog("Scan with ModelScan", words, "Scan")):
        return

    async def agreed(_: object) -> bool:
        return True

    context.activity("scan", "ModelScan …")
    try:
        report = await scan_files(inspector, repository, files, ask=agreed)
    except KittuiError as error:
        context.fail(error)
        return
    finally:
        context.activity("scan", None)
    known = known_by(inspector)
    known.scans[str(kit.digest)] = report
    _put_beside(context, report, files)
    if context.browser.show_tab("risk", focus=False):
        context.toast(report.badge)


def _put_beside(context: Context, report: ScanReport, files: Sequence[FoundFile]) -> None:
    """Badges of the files that ModelScan named."""
    repository = context.selection.repository
    if repository is None:
        return
    known = known_by(context.ports.inspector())
    worst = {issue.path: f"ModelScan: {issue.severity.lower()}" for issue in reversed(report.issues)}
    for found in files:
        if found.entry.path in worst:
            known.of(repository, found.layer).scanned[found.entry.path] = worst[found.entry.path]
    context.browser.rebadge()
