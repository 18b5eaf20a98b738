"""Writing a bundle: into a folder beside the target, flushed to disk, then renamed."""

import hashlib
import importlib.metadata
import importlib.util
import json
from collections.abc import Mapping
from pathlib import Path

from shortlist.atomic import new_folder, write_file
from shortlist.bundle.contents import FORMAT, Bundle
from shortlist.bundle.files import MANIFEST, MANIFEST_HASH, files_of_bundle, manifest_hash
from shortlist.errors import BundleError

__all__ = ["refuse_existing", "save_bundle", "write_bundle"]

# Whose versions a manifest tells, where they are installed.
VERSIONED = ("shortlist", "numpy", "polars", "onnxruntime", "onnx", "torch")


def save_bundle(bundle: Bundle, path: Path) -> Path:
    """Write the bundle as a new folder at `path`; whole, or not at all. The path comes back.

    Raises `BundleError` where something stands there already or the folder cannot be written.
    """
    refuse_existing(path)
    files = files_of_bundle(bundle)
    manifest = {
        "format": FORMAT,
        "versions": {name: importlib.metadata.version(name) for name in VERSIONED if importlib.util.find_spec(name)},
        "experiment": bundle.experiment,
        "data": bundle.data,
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())},
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False).encode()
    return write_bundle(files | {MANIFEST: text, MANIFEST_HASH: manifest_hash(text)}, path)


def write_bundle(files: Mapping[str, bytes], path: Path) -> Path:
    """Write the files as a new folder, as `save_bundle` says; the path comes back."""
    try:
        with new_folder(path) as folder:
            for name, content in files.items():
                write_file(folder / name, content)
    except FileExistsError:
        refuse_existing(path)
        raise
    except OSError as error:
        raise BundleError(f"The bundle could not be written to {path}: {error}. Nothing was left there.") from error
    return path


def refuse_existing(path: Path) -> None:
    """Raise `BundleError` where something stands at the path: a bundle is never changed or written over."""
    if path.exists():
        raise BundleError(f"{path} is there already, and a bundle is never written over. Name a new folder.")
