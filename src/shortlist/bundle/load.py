"""Reading a bundle, every byte of it checked against the manifest."""

import hashlib
import json
from pathlib import Path, PurePosixPath
from typing import Any

from shortlist.bundle.contents import FORMAT, Bundle
from shortlist.bundle.files import MANIFEST, MANIFEST_HASH, bundle_from_files
from shortlist.errors import BundleError

__all__ = ["load_bundle"]


def load_bundle(path: str | Path) -> Bundle:
    """The bundle in the folder at `path`.

    Raises `BundleError` for a folder that is no bundle, a newer format, a file that is missing, changed or not
    in the manifest, and a file name that leaves the folder. Hashes show damage, not forgery: load bundles from
    people you trust.
    """
    folder = Path(path)
    if not (folder / MANIFEST).is_file():
        raise BundleError(f"{folder} is no bundle: there is no {MANIFEST} in it. Name the folder that train wrote.")
    text = (folder / MANIFEST).read_bytes()
    expected = _read(folder, MANIFEST_HASH).decode("ascii", "replace").strip()
    if hashlib.sha256(text).hexdigest() != expected:
        raise _damaged(folder, MANIFEST)
    manifest: dict[str, Any] = json.loads(text)
    if manifest["format"] != FORMAT:
        raise BundleError(
            f"{folder} has format {manifest['format']}, and this shortlist reads format {FORMAT}. "
            "Install the version that wrote it, or train anew."
        )
    _refuse_strangers(folder, manifest["files"])
    files = {}
    for name, digest in manifest["files"].items():
        files[name] = _read(folder, name)
        if hashlib.sha256(files[name]).hexdigest() != digest:
            raise _damaged(folder, name)
    return bundle_from_files(manifest, files)


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
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise BundleError(f"{folder} lacks its file {name} ({error}). Copy the bundle again, or train anew.") from error


def _damaged(folder: Path, name: str) -> BundleError:
    return BundleError(
        f"{folder} is damaged: {name} is not the file that was saved with it. Copy the bundle again, or train anew."
    )
