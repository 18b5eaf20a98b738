"""The page's files, read once when the server starts."""

import dataclasses
from collections.abc import Mapping
from importlib import resources
from typing import Self

from starlette.requests import Request

from shortlist.serving.problems import RefusedError
from shortlist.serving.reply import Reply

__all__ = ["Files"]

TYPES = {
    ".css": b"text/css; charset=utf-8",
    ".html": b"text/html; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".svg": b"image/svg+xml",
    ".png": b"image/png",
}
# The next version of the page stands under the same names.
HEADERS = ((b"cache-control", b"no-cache"),)


@dataclasses.dataclass(frozen=True)
class Files:
    """Files by name; what is not among them is not there, whatever a path says."""

    contents: Mapping[str, bytes]

    @classmethod
    def read(cls) -> Self:
        """The files in the folder `page`, those of a type that a browser should get."""
        entries = resources.files("shortlist.serving").joinpath("page").iterdir()
        return cls({entry.name: entry.read_bytes() for entry in entries if _type_of(entry.name) is not None})

    async def index(self, _: Request) -> Reply:
        """The page."""
        return self._give("index.html")

    async def docs(self, _: Request) -> Reply:
        """The page that shows the routes."""
        return self._give("docs.html")

    async def file(self, request: Request) -> Reply:
        """One file of the page."""
        return self._give(request.path_params["name"])

    def _give(self, name: str) -> Reply:
        content, content_type = self.contents.get(name), _type_of(name)
        if content is None or content_type is None:
            raise RefusedError(404, "The page has no such file.", where=("path", "name"), known=sorted(self.contents))
        return Reply(content, content_type=content_type, headers=HEADERS)


def _type_of(name: str) -> bytes | None:
    return TYPES.get(name[name.rfind(".") :])
