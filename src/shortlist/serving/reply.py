"""An answer as bytes."""

from typing import Any

from pydantic_core import to_json
from starlette.responses import Response

__all__ = ["NO_STORE", "Header", "Reply"]

Header = tuple[bytes, bytes]
NO_STORE = (b"cache-control", b"no-store")


class Reply(Response):
    """Plain values as JSON, or bytes of another type as they are; not to be stored unless `headers` say more.

    It makes its headers as bytes: Starlette's way, from texts, takes as long as the JSON of ten items.
    """

    def __init__(
        self,
        value: Any,
        status: int = 200,
        *,
        content_type: bytes = b"application/json",
        headers: tuple[Header, ...] = (NO_STORE,),
    ) -> None:
        self.status_code = status
        self.body = value if isinstance(value, bytes) else to_json(value)
        self.background = None
        self.raw_headers = [
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", content_type),
            *headers,
        ]
