"""Registries as they are met: each a few differences from a plain one, and the page about them.

What is known of Distribution, zot and olareg was measured on the servers themselves (test_peers.py runs the same
operations on them); the others follow their documentation and public reports. A new personality is a few lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.fakes.habits import Habits

KIB, MIB = 1024, 1024 * 1024
SCALE = 1024
"""By so much sizes are smaller in tests than in the field, kittui's own along with them."""


@dataclass(frozen=True)
class Personality:
    """A registry, behind TLS or not; `remark` is what the table says of it beyond its habits."""

    name: str
    habits: Habits = field(default_factory=Habits)
    remark: str = ""
    tls: bool = False

    @property
    def slug(self) -> str:
        """The name as a test's id."""
        return self.name.lower().replace(" ", "-").replace(".", "")

    def scaled(self) -> Habits:
        """The habits with limits that small layers reach."""
        sizes = {name: getattr(self.habits, name) // SCALE for name in ("most_sent", "most_chunk", "least_chunk")}
        return replace(self.habits, **sizes)


PERSONALITIES = (
    Personality("Distribution 2.8", Habits(ordered=False, untag=False, referrers_api=False)),
    Personality("Distribution 3", Habits(page=5, most_listed=1000, referrers_api=False)),
    Personality("zot", Habits(page=5)),
    Personality(
        "olareg",
        Habits(page=5, link="<{target}>; rel=next", catalog=False, unknown_repository=200),
        "no tags, instead of an error, for a repository that is not there",
    ),
    Personality(
        "Amazon ECR",
        Habits(
            auth="basic", page=5, most_listed=1000, redirect=307, mounts=False, patch=201, chunk_range="first",
            only_first_chunk=True, create_first=True, untag=False, untag_refused=404, delete=False, delete_refused=404,
        ),
        "a repository must be created before the first push; what is deleted through the API answers 404",
    ),
    Personality(
        "Artifact Registry",
        Habits(auth="bearer", redirect=302, mounts=False, patch=405, delete_tagged=False, referrers_api=False),
        "a digest can be deleted only when it has no tag left",
    ),
    Personality(
        "GHCR",
        Habits(
            auth="bearer", catalog=False, catalog_refused=405, redirect=307, page=5, lag=2, most_chunk=4 * MIB,
            untag=False, untag_refused=405, delete=False, referrers_api=False,
        ),
        "a tag may show its former digest for a moment after it was moved",
    ),
    Personality(
        "Docker Hub",
        Habits(
            auth="bearer", catalog=False, catalog_refused=401, redirect=307, untag=False, untag_refused=405,
            delete=False,
        ),
        "counts requests: 429 is waited out",
    ),
    Personality("Azure", Habits(auth="bearer", page=5, redirect=307, untag=False, untag_refused=405)),
    Personality("Quay", Habits(auth="bearer", page=5, next_token=True, redirect=302)),
    Personality(
        "Harbor",
        Habits(
            auth="bearer", catalog=False, catalog_refused=401, page=5, untag=False, untag_refused=405, immutable=r"v.*",
        ),
        "immutable tags where a project has such a rule; the catalog is for administrators",
    ),
    Personality(
        "GitLab",
        Habits(auth="bearer", catalog=False, catalog_refused=401, page=5, redirect=307, referrers_api=False),
        "the token service is GitLab's own host",
    ),
    Personality(
        "Nexus", Habits(auth="basic", head=404, mounts=False, referrers_api=False), "a manifest's HEAD may be 404"
    ),
    Personality(
        "Artifactory", Habits(auth="basic", page=5, head_digest=False, redirect=302, redirect_head=True, mounts=False)
    ),
    Personality(
        "a gateway",
        Habits(
            page=5, link='<http://registry.internal:5000{target}>; rel="next"',
            most_sent=100 * MIB, least_chunk=5 * MIB,
        ),
        "answers with the registry's inner address, and refuses long requests (client_max_body_size)",
    ),
    Personality(
        "a gateway with TLS",
        Habits(page=5, link='<http://{host}{target}>; rel="next"', location="http://{host}{path}"),
        "speaks HTTPS, and the registry behind it writes HTTP into its answers",
        tls=True,
    ),
    Personality(
        "a CDN", Habits(redirect=302, redirect_head=True, ranges=False), "no ranges: a file is looked at by reading all"
    ),
    Personality(
        "a cache", Habits(read_only=405, catalog=False, page=5, referrers_api=False), "pull-through, or maintenance"
    ),
)  # fmt: skip


def table() -> str:
    """The personalities as docs/registries.md shows them."""
    heads = (
        "",
        "lists its repositories",
        "uploads",
        "sends blobs",
        "untags",
        "deletes by digest",
        "referrers API",
        "besides",
    )
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    lines += [f"| {' | '.join(_cells(each))} |" for each in PERSONALITIES]
    return "\n".join(lines) + "\n"


def _cells(personality: Personality) -> Iterator[str]:
    habits = personality.habits
    yield personality.name
    yield "yes" if habits.catalog else f"no ({habits.catalog_refused})"
    yield ", ".join(_uploads(habits))
    yield ("from elsewhere" if habits.redirect else "itself") + ("" if habits.ranges else ", whole only")
    if habits.read_only:
        yield f"no ({habits.read_only})"
        yield f"no ({habits.read_only})"
    else:
        yield "yes" if habits.untag else f"no ({habits.untag_refused})"
        yield (
            f"no ({habits.delete_refused})" if not habits.delete else "yes" if habits.delete_tagged else "untagged only"
        )
    yield "yes" if habits.referrers_api else "no"
    yield personality.remark


def _uploads(habits: Habits) -> Iterator[str]:
    if habits.read_only:
        yield f"no ({habits.read_only})"
        return
    if habits.patch >= 300 or habits.only_first_chunk:
        yield "one PUT only"
    elif habits.most_sent:
        yield f"chunks below {habits.most_sent // MIB} MiB"
    elif habits.most_chunk:
        yield f"one PUT, or chunks of {habits.most_chunk // MIB} MiB"
    else:
        yield "any"
    if not habits.mounts:
        yield "no mounts"
