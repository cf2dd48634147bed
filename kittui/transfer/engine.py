"""Executes a transfer plan: each blob in the cheapest way that works, then the manifests below the top one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path

from kittui.crashpoints import crash_point
from kittui.disk.threads import in_thread
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import BlobFiles
from kittui.tasks import together
from kittui.transfer.content import BlobOf, Watched
from kittui.transfer.fetch import Tuning, fetch_blob
from kittui.transfer.gathering import Gathering
from kittui.transfer.partial import record_of
from kittui.transfer.plan import BlobPlan, TransferPlan, can_read
from kittui.transfer.progress import Outcome, Progress


async def transfer_blobs(
    plan: TransferPlan, progress: Progress, tuning: Tuning | None = None
) -> Mapping[Digest, Outcome]:
    """Copy every blob and every manifest except the top one to the destination.

    Raises DiskFull before it starts if space is short, and the first error of any blob. Complete blobs stay; the next
    run resumes the others. A cancel ends it within a second.
    """
    tuning = tuning or Tuning()
    progress.begin([blob.descriptor for blob in plan.blobs])
    if plan.destination.files is not None:
        await in_thread(check_room, plan, plan.destination.files)
    outcomes: dict[Digest, Outcome] = {}
    for blob in plan.blobs:
        if blob.way == "present":
            outcomes[blob.descriptor.digest] = "present"
            progress.end(blob.descriptor.digest, "present")
    waiting = iter([blob for blob in plan.blobs if blob.way != "present"])
    connections = asyncio.Semaphore(tuning.connections)

    async def move(gathering: Gathering | None) -> None:
        for blob in waiting:
            outcome = await _move(plan, blob, progress, connections, tuning, gathering)
            outcomes[blob.descriptor.digest] = outcome
            progress.end(blob.descriptor.digest, outcome)

    files = plan.destination.files
    if files is not None:
        present = [blob.descriptor.digest for blob in plan.blobs if blob.way == "present"]
        await in_thread(_forget, files, present)
    async with nullcontext() if files is None else Gathering(files) as gathering:
        await together(*(move(gathering) for _ in range(tuning.blobs)))
    progress.phase = "committing"
    for manifest in plan.manifests[:-1]:
        crash_point("transfer.before-child-put")
        await plan.destination.put_manifest(manifest.raw, manifest.media_type)
    return outcomes


async def _move(
    plan: TransferPlan,
    blob: BlobPlan,
    progress: Progress,
    connections: asyncio.Semaphore,
    tuning: Tuning,
    gathering: Gathering | None,
) -> Outcome:
    descriptor, destination = blob.descriptor, plan.destination
    if blob.way == "mount" and await destination.mount_blob(descriptor, plan.origin):
        if plan.origin.files is not None:
            return "copied"
        # A registry may claim blobs that it no longer has, so read a byte of them.
        if await can_read(destination, descriptor):
            return "mounted"
    if destination.files is not None:
        return await fetch_blob(plan.origin, descriptor, destination.files, progress, connections, tuning, gathering)
    content = Watched(BlobOf(plan.origin, descriptor), lambda at: progress.reach(descriptor.digest, at))
    async with connections:
        crash_point("transfer.before-upload")
        await destination.put_blob(descriptor, content)
    return "copied"


def _forget(files: BlobFiles, present: Sequence[Digest]) -> None:
    """Delete stale records of partial downloads that a run committed right before it was killed. Blocks."""
    for digest in present:
        with suppress(OSError):
            record_of(files.partial(digest)).unlink()


def check_room(plan: TransferPlan, files: BlobFiles) -> None:
    """Raise if the missing bytes can't be written. Blocks."""
    wanted = [blob.descriptor for blob in plan.blobs if blob.way != "present"]
    if wanted:
        copied = (blob.descriptor for blob in plan.blobs if blob.way == "copy")
        files.check_room(sum(max(0, blob.size - _held(files, blob)) for blob in copied))


def _held(files: BlobFiles, blob: Descriptor) -> int:
    """Bytes that a blob's partial download already occupies."""
    path: Path = files.partial(blob.digest)
    try:
        return os.stat(path).st_blocks * 512  # noqa: PTH116
    except OSError:
        return 0
