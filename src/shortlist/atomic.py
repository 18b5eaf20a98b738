"""Files and folders that appear whole or not at all, whenever the process dies."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["new_folder", "write_file"]


def write_file(path: Path, content: bytes) -> Path:
    """Write the file beside its place, flush it to disk, and rename it over what stood there; the path comes back.

    A reader finds the old file or the new, never a half. Raises `OSError`.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write(draft, content)
        draft.replace(path)
        _flush_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)
    return path


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """A folder to fill that stands at `path` once the block ends without an error, and is gone otherwise.

    Files written by `write_file` are on disk before it appears. Raises `OSError`, of which `FileExistsError` where
    something stands there already.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
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


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    if os.name == "nt":
        return  # Windows flushes a folder's entries by itself and opens no folder
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
