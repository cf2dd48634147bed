"""Sign, approve, reject and attest: asks for the statement and the key, then writes it to the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from textual.content import Content

from kittui.disk.paths import typed_path
from kittui.errors import KittuiError, NotFound, UsageError
from kittui.terminal import clean
from kittui.trust.reviews import decisions
from kittui.trust.statements import predicate_uri
from kittui.tui.change.changing import marked, name_failures
from kittui.tui.change.ticks import folders
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.dialog import Part
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.changes import Batch, row_by_row
from kittui.tui.frame.context import Context
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.words import left_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kittui.oci.digest import Digest
    from kittui.oci.protocols import Repository
    from kittui.oci.tag import Tag
    from kittui.trust.reviews import Decision
    from kittui.tui.frame.selection import Mark
    from kittui.usecases.change.plan import OnMoved
    from kittui.usecases.trust.sign import Attestation
    from kittui.usecases.trust.signer import Signer

SIGN, APPROVE, REJECT, ATTEST = "sign", "approve", "reject", "attest"
DONE: Final = {SIGN: "Signed", APPROVE: "Approved", REJECT: "Rejected", ATTEST: "Attested"}
SHOWN: Final = 6
"""The most reviews shown."""


async def vouch(context: Context) -> None:
    """Ask for a statement about the tag under the cursor or the marked ones, its key and reason, and write it."""
    from kittui.usecases.trust.sign import check_attach

    marks = marked(context.selection)
    tools = context.ports.change_tools()
    for mark in marks:
        tools.policy.check_write(mark.reference)
        check_attach(mark.repository)
    if not marks:
        return
    champion = clean(context.ports.settings.lifecycle.champion)
    about = clean(marks[0].reference) if len(marks) == 1 else f"{len(marks)} marked ModelKits"
    choices = [
        Choice(SIGN, "Sign", "sign the digest with your key"),
        Choice(APPROVE, f"Approve for {champion}", "signed approval; your latest decision counts"),
        Choice(REJECT, f"Reject for {champion}", "signed rejection; not a signature of the ModelKit"),
        Choice(ATTEST, "Attest", "attach a JSON file as a statement: a test result, a BOM"),
    ]
    what = await context.ask(ChoiceDialog("Vouch", choices, (about, "")))
    if what is None:
        return
    against, reviewed = await _reviewed(context, marks, what) if what in (APPROVE, REJECT) else ({}, [])
    said = await _said(context, marks, what, champion, reviewed)
    if said is None:
        return
    signer = await _signer(context, what)
    if signer is None:
        return
    keys: dict[str, None] = {}
    batch: Batch[Mark] = Batch(context, DONE[what].lower(), len(marks), lambda mark: (mark.repository, mark.target))

    async def write(one: Sequence[Mark], _: OnMoved) -> None:
        [mark] = one
        done = await _write(context, mark, what, said, signer, against.get(mark.reference))
        keys[done.key] = None

    try:
        await batch.run([[mark] for mark in marks], write)
    finally:
        done = [mark for [mark] in batch.done]
        written = set(map(id, done))
        for repository in {mark.repository.reference(): mark.repository for mark in done}.values():
            context.changed(repository)
        context.clear_marks(keep=[mark for mark in marks if id(mark) not in written])
        if done:
            if not batch.failed:
                for each in said:
                    context.program.drafts.drop(each)
            names = clean(done[0].reference) if len(done) == 1 else f"{len(done)} ModelKits"
            context.toast(f"{DONE[what]} {names} with key {', '.join(keys)}")
        name_failures(context, batch.failed, len(marks))


async def _reviewed(context: Context, marks: Sequence[Mark], what: str) -> tuple[dict[str, Digest], list[Part]]:
    """What each ModelKit was fully reviewed against here, and remarks about the reviews."""
    champion = context.ports.settings.lifecycle.champion

    async def look(mark: Mark) -> tuple[str, Digest | None, str, Sequence[Part]]:
        about = "it" if len(marks) == 1 else clean(f"{mark.repository.name}:{mark.target}", limit=60)
        digest = mark.digest or (await mark.repository.resolve(mark.target)).digest
        before = await _decided(context, mark.repository, digest, champion, what, about)
        try:
            present = (await mark.repository.resolve(champion)).digest
        except NotFound:
            return mark.reference, None, f"there is no {champion} yet to compare with", before
        review = await context.ports.trust.review(present, digest)
        if review.empty:
            key = context.ports.keys["diff"]
            unread = f"you have not reviewed {about} against {champion} ({key} compares them)"
            return mark.reference, None, unread, before
        words = f"You reviewed {about} against {clean(champion)}: {review.words}."
        reviewed = Content.styled(words, "$kit-warn") if what == APPROVE and review.verdict == "rejected" else words
        return mark.reference, present if review.whole else None, left_text(review, champion), [*before, reviewed]

    looked, failed = await row_by_row(context, marks, look)
    said = [line for *_, lines in looked for line in lines]
    if len(said) > SHOWN:
        said[SHOWN:] = [f"and {len(said) - SHOWN} more of them."]
    if what != APPROVE:
        return {}, said
    if failed:
        raise failed[0][1].at(failed[0][0].reference)
    against = {reference: present for reference, present, *_ in looked if present is not None}
    left = [why for _, _, why, _ in looked if why]
    if not left:
        return against, [
            *said,
            f"Every change against the present {clean(champion)} is ticked: your approval states that.",
        ]
    why = clean(left[0][:1].upper() + left[0][1:])
    if against:
        return against, [*said, f"{why}: your approval states a review for {len(against)} of the {len(marks)}."]
    return against, [*said, f"{why}: your approval does not state a review."]


async def _decided(
    context: Context, repository: Repository, digest: Digest, champion: Tag, what: str, about: str
) -> list[Part]:
    """What people with trusted keys said of it last; what the user is about to contradict stands out."""
    try:
        found = await context.ports.trust.statements(repository, digest, None)
    except KittuiError as error:
        return [f"What was said of {about} before could not be read: {clean(error.message)}"]
    verdicts = (one.verdict for one in found.signatures)
    said: list[Part] = []
    for review in decisions(verdicts, [plain_name(repository)], champion, context.ports.clock()).values():
        reason = f": {review.reason}" if review.reason else ""
        words = f"{review.owner} {review.decision} {about} on {review.time:%Y-%m-%d}{reason}"
        other = (review.decision == "rejected") is (what == APPROVE)
        said.append(Content.styled(clean(words, limit=300), "$kit-warn" if other else "$kit-text"))
    return said


async def _said(
    context: Context, marks: Sequence[Mark], what: str, champion: str, reviewed: Sequence[Part]
) -> tuple[str, str] | None:
    """The reason, or the type and file of the predicate; None if the user cancels."""
    if what == SIGN:
        return ("", "")
    if what != ATTEST:
        title = f"{'Approve' if what == APPROVE else 'Reject'} for {champion}"
        asked = [*reviewed, "Reason, kept in the statement:"]
        draft = "\n".join([title, *(mark.reference for mark in marks)])
        reason = await context.ask(InputDialog(title, asked, placeholder="reason", draft=draft))
        return None if reason is None else (reason.strip(), "")
    words = ("The predicate type: a URI, or one of", "cyclonedx, provenance, spdx, svr, test-result, vsa")
    kind = await context.ask(InputDialog("Attest", words, value="test-result", check=_wrong_type))
    if kind is None:
        return None
    asked = ["The file with the predicate, a JSON object:"]
    path = await context.ask(InputDialog("Attest", asked, check=_wrong_file, complete=folders, draft="attest file"))
    return None if path is None else (kind.strip(), path.strip())


def _wrong_type(text: str) -> str:
    try:
        predicate_uri(text.strip())
    except KittuiError as error:
        return clean(error.message)
    return ""


def _wrong_file(text: str) -> str:
    try:
        path = typed_path(text.strip())
        if text.strip() and path.is_dir():
            return "That is a folder; enter a file."
        return "" if text.strip() and path.exists() else "There is no such file."
    except (KittuiError, OSError, ValueError):
        return "There is no such file."


async def _signer(context: Context, what: str) -> Signer | None:
    """The signer for the key that the user confirms; suggests the configured one."""
    known = context.ports.trust.signing_key
    words = (
        "Your private key (PEM, or cosign's format), or the public key of signing_command.",
        "You are asked for its passphrase, if it has one.",
    )
    text = await context.ask(
        InputDialog(
            "Key",
            words,
            value=str(known or ""),
            placeholder="key file",
            check=_wrong_file,
            complete=folders,
            decides=True,
            draft="key",
        )
    )
    if text is None:
        return None
    signer = await context.ports.trust.signer(typed_path(text.strip()))
    if signer is None:
        raise UsageError(f"there is no key to {what} with", hint="Enter a key file, or set signing_key in config.yaml.")
    context.program.drafts.drop(text)
    return signer


async def _write(
    context: Context, mark: Mark, what: str, said: tuple[str, str], signer: Signer, against: Digest | None
) -> Attestation:
    from kittui.usecases.trust.sign import attest, read_predicate, review, sign

    # The digest that the user saw, not what the tag points to now.
    target = mark.digest or mark.target
    if what == SIGN:
        return await sign(mark.repository, target, signer)
    if what == ATTEST:
        kind, path = said
        return await attest(mark.repository, target, signer, predicate_uri(kind), await read_predicate(path))
    champion = context.ports.settings.lifecycle.champion
    decision: Decision = "approved" if what == APPROVE else "rejected"
    actor = context.ports.change_tools().ledger.actor
    return await review(mark.repository, target, signer, decision, champion, actor, said[0], against=against)
