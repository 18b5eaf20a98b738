"""Reading a bundle, every byte of it checked against the manifest."""

import hashlib
import json
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import Any

from shortlist.bundle.contents import FORMAT, Bundle
from shortlist.bundle.files import MANIFEST, MANIFEST_HASH, REQUIRED, bundle_from_folder, manifest_hash
from shortlist.errors import BundleError

__all__ = ["load_bundle"]


def load_bundle(path: str | Path) -> Bundle:
    """The bundle in the folder at `path`, or in the folder `bundle` of the run that stands there.

    Raises `BundleError` for a folder that is no bundle, a newer format, a file that is missing, changed or not
    in the manifest, and a file name or a link that leaves the folder. Hashes show damage, not forgery: load
    bundles from people you trust.
    """
    folder = Path(path)
    if (folder / "bundle" / MANIFEST).is_file():
        folder = folder / "bundle"
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder} is no bundle: there is no {MANIFEST} in it. Name the folder that train wrote.")
    text = _read(folder, MANIFEST)
    if manifest_hash(text) != _read(folder, MANIFEST_HASH):
        raise _damaged(folder, MANIFEST)
    manifest: Any = json.loads(text)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise BundleError(f"{folder} is no bundle: its {MANIFEST} lists no files. Name the folder that train wrote.")
    if manifest.get("format") != FORMAT:
        raise BundleError(
            f"{folder} has format {manifest.get('format')}, and this shortlist reads format {FORMAT}. "
            "Install the version that wrote it, or train anew."
        )
    missing = [name for name in REQUIRED if name not in manifest["files"]]
    if missing:
        raise BundleError(f"{folder} is not whole: its {MANIFEST} does not list {missing[0]}. Train anew.")
    _refuse_strangers(folder, manifest["files"])
    for name, digest in manifest["files"].items():
        with _open(folder, name) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                raise _damaged(folder, name)
    return bundle_from_folder(folder, manifest)


def _refuse_strangers(folder: Path, listed: dict[str, str]) -> None:
    for name in listed:
        if PurePosixPath(name).name != name or name in ("", ".", ".."):
            raise BundleError(f"{folder} names a file outside of itself: {name!r}. Do not use this bundle.")
    strangers = {entry.name for entry in folder.iterdir()} - {*listed, MANIFEST, MANIFEST_HASH}
    if strangers:
        raise BundleError(
            f"{folder} holds {sorted(strangers)[0]!r}, which its manifest does not list. Take it out, or train anew."
        )


def _read(folder: Path, name: str) -> bytes:
    with _open(folder, name) as file:
        return file.read()


def _open(folder: Path, name: str) -> BufferedReader:
    path = folder / name
    if path.exists() and (path.is_symlink() or not path.is_file()):
        raise BundleError(f"{path} is no plain file of its own. Do not use this bundle; copy the whole one again.")
    try:
        return path.open("rb")
    except OSError as error:
        raise BundleError(f"{folder} lacks its file {name} ({error}). Copy the bundle again, or train anew.") from error


def _damaged(folder: Path, name: str) -> BundleError:
    return BundleError(
        f"{folder} is damaged: {name} is not the file that was saved with it. Copy the bundle again, or train anew."
    )
