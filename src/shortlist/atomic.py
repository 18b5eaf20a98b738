"""Files and folders that appear whole or not at all, whenever the process dies, and the lock of one."""

import glob
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from shortlist.errors import SettingsError

__all__ = ["LOCK", "locked", "made_folder", "naming", "new_file", "new_folder", "remove_drafts", "write_file"]

LOCK = ".lock"


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Put the path into an `OSError` of the block that names no file, as one about a full disk does not."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A place beside `path` to write a file to; once the block ends without an error, it is flushed and renamed.

    A reader finds what stood at `path` or the new file, never a half. Raises `OSError` naming a file.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with naming(path):
            yield draft
            with draft.open("r+b") as file:  # Windows flushes only what may be written
                os.fsync(file.fileno())
            draft.replace(path)
            _flush_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def write_file(path: Path, content: bytes) -> Path:
    """Put the content at `path` as `new_file` does; the path comes back."""
    with new_file(path) as draft:
        draft.write_bytes(content)
    return path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that stands at `path` once the block ends without an error, and is gone otherwise.

    Files written by `write_file` are on disk before it appears. Raises `OSError`, of which `FileExistsError` where
    something stands there already.
    """
    with made_folder(path.parent):
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            yield draft
            draft.chmod(0o755)  # a temporary folder is for its owner alone; a finished one is for who may read
            _flush_folder(draft)
            if path.exists():  # rename would replace an empty folder
                raise FileExistsError(f"{path} is there already")
            draft.rename(path)
            _flush_folder(path.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def made_folder(path: Path) -> Iterator[None]:
    """Make a folder and those above it; where the block leaves them empty, those that were made go again.

    Raises `OSError`.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        for folder in made:
            with suppress(OSError):  # never made, or not empty
                folder.rmdir()


@contextmanager
def locked(folder: Path, what: str) -> Iterator[None]:
    """Nobody else does such work in the folder; the lock goes with the process, however it ends.

    Raises `SettingsError` where somebody does, calling the work by `what`.
    """
    path = folder / LOCK
    with path.open("ab") as file:
        try:
            _lock(file)
        except OSError as error:
            raise SettingsError(f"Another {what} is at work in {folder}. Wait until it has ended.") from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def _lock(file: BinaryIO) -> None:
    """Take the file for this process alone, or raise `OSError` at once."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_drafts(folder: Path, names: Iterable[str]) -> None:
    """Remove what a process that was killed left half written of the files and folders of these names."""
    for name in names:
        for draft in folder.glob(f".{glob.escape(name)}[.-]*"):
            if draft.is_dir():
                shutil.rmtree(draft)
            else:
                draft.unlink()


def _flush_folder(path: Path) -> None:
    if os.name == "nt":
        return  # Windows flushes a folder's entries by itself and opens no folder
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
