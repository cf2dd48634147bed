"""`kittui du`: disk usage of the store or a layout, and what each removal would free."""

from __future__ import annotations

import click

from kittui.cli import run
from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.errors import NotFound
from kittui.oci.reference import LOCAL, Place
from kittui.terminal import counted, size_text
from kittui.usecases.change.usage import Usage, Used, usage_of


@run.command("du")
@click.argument("source", metavar="[SOURCE|REPO]", required=False)
async def command(call: Call, source: str | None) -> None:
    """Show the disk usage of the local store or a layout, and what each ModelKit's removal would free.

    FREES counts the bytes that no other ModelKit needs. Shared blobs are counted once and become free only when every
    ModelKit that needs them is removed (`shared` in JSON). A registry does not report its disk usage.
    """
    places = call.composition.places
    parsed = LOCAL if source is None else places.parse_source(source)
    if isinstance(parsed, Place):
        place, name = parsed, None
    else:
        repository = (await places.locate(str(source), default=None)).repository
        place, name = repository.source.place, repository.name
    call.printer.status(f"reading {place}")

    def on_progress(done: int, total: int) -> None:
        call.printer.status(f"reading {place}: {done} of {counted(total, 'manifest')}")

    usage = await usage_of(places.source(place), on_progress)
    if name is not None and all(one.repository.name != name for one in usage.used):
        raise NotFound(f"{name} holds nothing in {place}", hint=f"kittui ls {place} lists what there is.")
    call.printer.result(usage.to_json(name), lambda: _print(call, usage, name))
    if usage.holdings.doubt:
        call.printer.warning(f"a removal would free nothing now: {usage.holdings.doubt}")


def _print(call: Call, usage: Usage, name: str | None) -> None:
    holdings = usage.holdings
    attached = sum(one.held.subject is not None for one in usage.used)
    said = [f"{size_text(holdings.total)} in {counted(len(usage.used) - attached, 'ModelKit')}"]
    said += [f"{attached} attached to them"] if attached else []
    said += [f"{size_text(holdings.unused)} that no ModelKit uses"] if holdings.unused else []
    said += [f"{size_text(holdings.leftovers)} of unfinished downloads"] if holdings.leftovers else []
    call.printer.line((str(usage.source.place), "bold"), f"  {', '.join(said)}")
    used = [one for one in usage.used if name in (None, one.repository.name)]
    if used:
        rows = [_row(usage, one) for one in used]
        call.printer.table(("MODELKIT", "DIGEST", "SIZE", "FREES", "SHARED"), rows, right=(2, 3))
    frees = usage.repositories
    for each in [name] if name is not None else frees if len(frees) > 1 else []:
        if each in frees:
            call.printer.line(f"all of {each} frees {size_text(frees[each])}")


def _row(usage: Usage, one: Used) -> list[Styled]:
    """One ModelKit; its shared bytes are shown with the first of the other ModelKits that would have to go too."""
    shared = usage.shared(one)
    said = ""
    if shared:
        _, names = shared[0]
        more = len({name for _, names in shared for name in names}) - 1
        said = f"{size_text(sum(size for size, _ in shared))} with {names[0]}{f' and {more} more' if more else ''}"
    tags = f" {','.join(one.held.tags[1:])}" if len(one.held.tags) > 1 else ""
    about = f" attached to {one.held.subject.short}" if one.held.subject is not None else ""
    name = f"{one.reference if one.held.tags else one.repository.reference() + '@' + one.digest.short}{tags}{about}"
    return [name, one.digest.short, size_text(one.size), size_text(one.freed), said]
