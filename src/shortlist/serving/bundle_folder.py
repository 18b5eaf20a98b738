"""The one folder whose bundles a server may load, by their plain names."""

import os
import re
from pathlib import Path

from shortlist.bundle.files import MANIFEST
from shortlist.errors import shorten
from shortlist.serving.problems import RefusedError

__all__ = ["BundleFolder"]

NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


class BundleFolder:
    """Bundles, and runs with a bundle in them, that lie side by side."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """The names of the bundles that lie there now, in order."""
        try:
            entries = list(self._path.iterdir())
        except OSError:
            return []
        return sorted(entry.name for entry in entries if NAME.fullmatch(entry.name) and self._home(entry) is not None)

    def find(self, name: str) -> Path:
        """The folder of the bundle with this name, with every link in its path followed.

        Raises `RefusedError` (422) for a name that is no plain one, for one that no bundle has, and for a link that
        leads out of the folder.
        """
        if not NAME.fullmatch(name):
            raise RefusedError(
                422,
                "A bundle's name should be the name of its folder: letters, digits, '.', '_' and '-', none of which "
                f"leads to another folder, but it is {shorten([name[:200]])}. GET /bundles lists the names.",
                where=("body", "name"),
                known=self.names(),
            )
        home = self._home(self._path / name)
        if home is None:
            raise RefusedError(
                422,
                f"No bundle in this server's folder is called {name!r}. Copy it there, or take one of those known.",
                where=("body", "name"),
                known=self.names(),
            )
        return home

    def _home(self, entry: Path) -> Path | None:
        """Where an entry's manifest lies: in it, or in the folder `bundle` of a run; None outside of this folder.

        What cannot be read is no bundle.
        """
        for home in (entry / "bundle", entry):
            real = _real(home)
            if real.is_relative_to(_real(self._path)) and _is_readable(real / MANIFEST):
                return real
        return None


def _real(path: Path) -> Path:
    """The path with every link followed; `Path.resolve` raises for links that go round in a circle."""
    return Path(os.path.realpath(path))


def _is_readable(path: Path) -> bool:
    """Whether this is a file that can be read, in a folder that can be entered."""
    try:
        return path.is_file() and os.access(path, os.R_OK)
    except OSError:
        return False
