"""The verdict on a ModelKit's signatures in one word, the same in every command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from kittui.cli.output import Styled
from kittui.cli.run import Call
from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.tasks import spread
from kittui.usecases.trust.words import NOT_ASKED, Word, signed_text

_STYLES: Final = {"valid": "green", "INVALID": "bold red", "unknown key": "yellow", "not verified": "yellow"}


@dataclass(frozen=True, slots=True)
class Signed:
    """The word, and the owners of the keys that verified."""

    word: Word | None = None
    signers: tuple[str, ...] = ()

    @property
    def styled(self) -> Styled:
        """As styled text."""
        return signed_text(self.word, self.signers), _STYLES.get(self.word or "", "dim")

    def to_json(self) -> dict[str, Any]:
        """As JSON, in the form of the contract."""
        return {"signed": self.word or NOT_ASKED, "signers": list(self.signers)}


NOT_CHECKED: Final = Signed()


async def check_all(call: Call, repository: Repository, digests: Sequence[Digest]) -> dict[Digest, Signed]:
    """Check the signatures of each digest; warns about those that can't be read."""

    async def one(digest: Digest) -> Signed:
        try:
            found = await call.composition.evidence.statements(repository, digest)
        except KittuiError as error:
            call.printer.warning(f"the signatures of {digest.short} could not be read: {error.message}")
            return NOT_CHECKED
        if not found.complete:
            call.printer.warning(f"{digest.short} may have more signatures than were listed")
        return Signed(found.word, found.signers)

    found = await spread(digests, one, at_once=repository.source.traits.at_once)
    return dict(zip(digests, found, strict=True))
