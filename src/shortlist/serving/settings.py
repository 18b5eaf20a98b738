"""What a server is told before it starts."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from shortlist.choice import Number, Positive, choice

__all__ = ["Limits", "ServerSettings"]

Seconds = Annotated[Number, Field(gt=0)]


@choice
class Limits:
    """What one request may ask for, and how many may be inside at once.

    `max_ids` bounds each list of ids, `max_search` the letters of a search. A body has `body_seconds` to arrive; a
    batch has `request_seconds` to be answered, and no request waits longer than that for its turn.

    `max_concurrent` counts the requests of this process that are being answered or wait for it; more are sent away.
    One thread answers them in turn, so that an admitted request waits at most about three times as long as so many
    answers take (see `Front`). A request whose body is on its way is not counted; all such bodies together may hold
    `max_concurrent` times `max_body_bytes`.
    """

    max_body_bytes: Positive = 1 << 20
    max_k: Positive = 1_000
    max_batch: Positive = 256
    max_ids: Positive = 10_000
    max_search: Positive = 200
    body_seconds: Seconds = 5.0
    request_seconds: Seconds = 10.0
    max_concurrent: Positive = 64


@choice
class ServerSettings:
    """One server: the bundle that it answers from at first, and the folder whose bundles it may change to.

    `bundles` is the parent folder of the bundle where it is left out. `key_digests` are the SHA-256 of the keys that
    may change bundles, as `read_keys` gives them; without any, nobody may. While a bundle is staged the share
    `shadow_share` of the live recommendations is answered by it too.
    """

    bundle: Path
    bundles: Path | None = None
    key_digests: tuple[bytes, ...] = ()
    limits: Limits = Field(default_factory=Limits)
    shadow_share: Annotated[Number, Field(ge=0, le=1)] = 0.1
    log_requests: bool = False
