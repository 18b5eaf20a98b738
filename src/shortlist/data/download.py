"""Verified downloads: an archive arrives whole and with the right SHA-256, or not at all."""

import dataclasses
import hashlib
import http.client
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from shortlist.errors import DownloadError, SettingsError

__all__ = ["Archive", "Source", "Url", "Wheel", "fetch", "fetch_first", "find_cached", "is_intact", "stream"]

NETWORK_TIMEOUT = 10.0  # seconds for a connection, and for every read after it
PIP_TIMEOUT = 300.0  # seconds for pip as a whole
PIP_QUIETLY = ["--quiet", "--no-input", "--disable-pip-version-check", "--retries=2", f"--timeout={NETWORK_TIMEOUT}"]
PIP_ONE_WHEEL = ["--no-deps", "--only-binary=:all:"]


class Source(Protocol):
    """A place that an archive comes from; its text names the place in errors."""

    def fetch(self, target: Path) -> None:
        """Write the archive to `target`, in an empty folder of its own; raise `DownloadError` where that fails."""


@dataclasses.dataclass(frozen=True)
class Url:
    """An https address. Raises `SettingsError` for any other scheme."""

    address: str

    def __post_init__(self) -> None:
        if urlsplit(self.address).scheme != "https":
            raise SettingsError(f"A download should come over https, but the address is {self.address!r}.")

    def __str__(self) -> str:
        return self.address

    def fetch(self, target: Path) -> None:
        stream(self.address, target)


@dataclasses.dataclass(frozen=True)
class Wheel:
    """A wheel of the package index, such as `recbole==1.2.1`, downloaded by pip and not installed."""

    requirement: str

    def __str__(self) -> str:
        return f"the package index ({self.requirement})"

    def fetch(self, target: Path) -> None:
        options = [*PIP_QUIETLY, *PIP_ONE_WHEEL, f"--dest={target.parent}"]
        command = [sys.executable, "-m", "pip", "download", *options, "--", self.requirement]
        try:
            ran = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=PIP_TIMEOUT)
        except (OSError, subprocess.SubprocessError) as error:
            raise DownloadError(f"pip could not download {self.requirement}: {error}") from error
        if ran.returncode:
            said = " ".join((ran.stderr or ran.stdout).split())[-500:]
            raise DownloadError(f"pip could not download {self.requirement}; it said: {said}")


@dataclasses.dataclass(frozen=True)
class Archive:
    """A file known beforehand: its name in the cache, its size in bytes, its SHA-256 and its source."""

    name: str
    size: int
    sha256: str
    source: Source


def find_cached(archives: Sequence[Archive], folder: Path) -> Path | None:
    """The first of the archives that lies intact in the folder, or None."""
    return next((folder / archive.name for archive in archives if is_intact(archive, folder / archive.name)), None)


def fetch_first(archives: Sequence[Archive], folder: Path) -> Path:
    """Download the first of the archives whose source works; `DownloadError` gives every reason where none does."""
    reasons: list[str] = []
    for archive in archives:
        try:
            return fetch(archive, folder)
        except DownloadError as error:
            reasons.append(f"({len(reasons) + 1}) {error}")
    names = " or ".join(archive.name for archive in archives)
    raise DownloadError(
        f"The data set could not be fetched from any of its {len(archives)} sources. {' '.join(reasons)} "
        f"Check the network and try again, or put {names} into {folder} by hand."
    )


def fetch(archive: Archive, folder: Path) -> Path:
    """Download the archive into the folder, replacing what has its name there, and return its path.

    It is written beside its place, checked, and then moved there in one step, so that no reader ever sees
    half of it. Raises `DownloadError` where the source fails, or brings another size or SHA-256.
    """
    target = folder / archive.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # In the same folder, because os.replace is atomic only within one file system.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetching-") as room:
            arrived = Path(room) / archive.name
            archive.source.fetch(arrived)
            _check(archive, arrived)
            arrived.replace(target)
    except DownloadError:
        raise
    except OSError as error:
        raise DownloadError(f"{target} could not be written: {error}. Choose another cache folder.") from error
    return target


def is_intact(archive: Archive, path: Path) -> bool:
    """Whether the file is there with the archive's size and SHA-256."""
    return path.is_file() and path.stat().st_size == archive.size and _sha256(path) == archive.sha256


def stream(address: str, target: Path) -> None:
    """Write what the address answers to `target`. A redirect to another scheme is refused.

    Raises `DownloadError` where nobody answers, the answer is an error, or it breaks off.
    """
    try:
        with _OPENER.open(address, timeout=NETWORK_TIMEOUT) as answer, target.open("wb") as file:
            shutil.copyfileobj(answer, file)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, HTTPError):
            error.close()  # it holds the connection
        raise DownloadError(f"{address} could not be fetched: {error}.") from error


class _SameScheme(HTTPRedirectHandler):
    """Follows a redirect only within the scheme, so that https never becomes http on the way."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl).scheme != req.type:
            raise URLError(f"it redirects to {newurl}, and leaving {req.type} is refused")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(_SameScheme)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check(archive: Archive, arrived: Path) -> None:
    if is_intact(archive, arrived):
        return
    came = f"{arrived.stat().st_size:,} bytes with SHA-256 {_sha256(arrived)}" if arrived.is_file() else "no such file"
    raise DownloadError(
        f"Expected {archive.name} with {archive.size:,} bytes and SHA-256 {archive.sha256}, but {came} came from "
        f"{archive.source}: damaged on the way, or replaced there. Nothing was kept; try again."
    )
