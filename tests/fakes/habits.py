"""How one registry differs from another: the switches of the scripted registry; the defaults are a plain one's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass
class Habits:
    """What a registry does its own way. Sizes are bytes; a status of an answer stands for the whole answer.

    Signing in: `auth`, `realm` (instead of its own token service), `lifetime` of tokens in seconds.

    Lists: `page` entries a page (0: all at once), `most_listed` for n (above it 400), `link` as the header is written,
    `next_token`: pages are named by an opaque token, `catalog` and what is answered without one, `ordered` tags,
    `unknown_repository`: the status of the tags of a repository that is not there.

    Manifests: `head` (200, or the status of every HEAD), `head_digest`: HEAD states a digest, `lag`: so many reads of
    a tag after a write still see what it was, `immutable`: a regular expression of tags that are never moved.

    Blobs: `blob_head` (200, or the status of every HEAD), `ranges`, `redirect` (to another host; 0: none),
    `redirect_head` (that host refuses HEAD), `mounts`.

    Uploads: `most_sent` in one request (413), `most_chunk` in a PATCH (416), `least_chunk` as stated, `patch` (202,
    201, or the status that refuses it), `chunk_range`: what the Range of a chunk's answer says, `only_first_chunk`:
    later ones are thrown away, `location` of an upload, `create_first`: pushing does not create a repository.

    Removing: `untag` and `untag_refused`, `delete` and `delete_refused`, `delete_tagged`: a digest that still has tags
    goes, with them. `read_only`: the status that every write is answered with (0: writes are taken).

    Others: `referrers_api`.
    """

    auth: Literal["", "basic", "bearer"] = ""
    realm: str = ""
    lifetime: int = 300
    page: int = 0
    most_listed: int = 0
    link: str = '<{target}>; rel="next"'
    next_token: bool = False
    catalog: bool = True
    catalog_refused: int = 404
    ordered: bool = True
    unknown_repository: int = 404
    head: int = 200
    head_digest: bool = True
    lag: int = 0
    immutable: str = ""
    blob_head: int = 200
    ranges: bool = True
    redirect: int = 0
    redirect_head: bool = False
    mounts: bool = True
    most_sent: int = 0
    most_chunk: int = 0
    least_chunk: int = 0
    patch: int = 202
    chunk_range: Literal["whole", "first", "none"] = "whole"
    only_first_chunk: bool = False
    location: str = "{path}"
    create_first: bool = False
    untag: bool = True
    untag_refused: int = 400
    delete: bool = True
    delete_refused: int = 405
    delete_tagged: bool = True
    read_only: int = 0
    referrers_api: bool = True

    @property
    def writes(self) -> bool:
        """Whether anything can be changed."""
        return not self.read_only
