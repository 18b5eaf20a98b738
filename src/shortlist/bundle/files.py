"""The files of a bundle: one place that says what each part is called and how it is written and read."""

import hashlib
import io
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from safetensors.numpy import save as save_tensors

from shortlist.bundle.contents import Bundle, SavedIndex
from shortlist.data.histories import Histories
from shortlist.data.seen import Seen
from shortlist.features import Features

__all__ = ["MANIFEST", "MANIFEST_HASH", "REQUIRED", "WEIGHTS", "bundle_from_folder", "files_of_bundle", "manifest_hash"]

MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
# The one copy of the towers' weights, which both graphs point into.
WEIGHTS = "weights.safetensors"
ITEM_VECTORS = "item_vectors.safetensors"
INDEX, INDEX_STRUCTURE = "index.json", "index.faiss"
# So much of a SHA-256 tells versions apart.
VERSION_DIGITS = 12
# How safetensors calls the types of a bundle's arrays.
DTYPES = {"F32": np.float32, "I64": np.int64}
REQUIRED = (
    "features.json",
    "query.onnx",
    "item.onnx",
    WEIGHTS,
    "items.parquet",
    "item_columns.parquet",
    "users.parquet",
    "user_events.safetensors",
    ITEM_VECTORS,
    "history.jsonl",
)


def files_of_bundle(bundle: Bundle) -> dict[str, bytes]:
    """The bytes of every file but the manifest's two, by name."""
    files = {
        "features.json": _to_json(bundle.features.to_json()),
        "query.onnx": bundle.query_tower,
        "item.onnx": bundle.item_tower,
        WEIGHTS: bundle.weights if isinstance(bundle.weights, bytes) else bundle.weights.read_bytes(),
        "items.parquet": _to_parquet(bundle.items),
        "item_columns.parquet": _to_parquet(bundle.item_columns),
        "users.parquet": _to_parquet(bundle.users),
        "user_events.safetensors": _save_tensors(user_events=bundle.user_events),
        ITEM_VECTORS: _save_tensors(vectors=bundle.item_vectors),
        "history.jsonl": b"".join(json.dumps(line).encode() + b"\n" for line in bundle.history),
    }
    if bundle.seen is not None:
        files["seen.safetensors"] = _save_tensors(offsets=bundle.seen.offsets, item_rows=bundle.seen.item_rows)
    if bundle.histories is not None:
        kept = bundle.histories
        files["histories.safetensors"] = _save_tensors(offsets=kept.offsets, item_rows=kept.item_rows)
    if bundle.index is not None:
        files[INDEX] = _to_json({"settings": bundle.index.settings, "measured": bundle.index.measured})
        if bundle.index.structure is not None:
            files[INDEX_STRUCTURE] = bundle.index.structure
    if bundle.evaluation is not None:
        files["evaluation.json"] = _to_json(bundle.evaluation)
    return files


def bundle_from_folder(folder: Path, manifest: dict[str, Any]) -> Bundle:
    """The bundle whose files lie in the folder; numbers stay on disk, mapped, until something reads them."""
    seen = _map_tensors(folder / "seen.safetensors") if "seen.safetensors" in manifest["files"] else None
    in_time = _map_tensors(folder / "histories.safetensors") if "histories.safetensors" in manifest["files"] else None
    evaluation = _from_json(folder / "evaluation.json") if "evaluation.json" in manifest["files"] else None
    return Bundle(
        experiment=manifest["experiment"],
        data=manifest["data"],
        features=Features.from_json(_from_json(folder / "features.json")),
        query_tower=(folder / "query.onnx").read_bytes(),
        item_tower=(folder / "item.onnx").read_bytes(),
        weights=folder / WEIGHTS,
        items=pl.read_parquet(folder / "items.parquet"),
        users=pl.read_parquet(folder / "users.parquet"),
        user_events=_map_tensors(folder / "user_events.safetensors")["user_events"],
        item_vectors=_map_tensors(folder / ITEM_VECTORS)["vectors"],
        seen=None if seen is None else Seen(seen["offsets"], seen["item_rows"]),
        histories=None if in_time is None else Histories(in_time["offsets"], in_time["item_rows"]),
        history=[json.loads(line) for line in (folder / "history.jsonl").read_bytes().splitlines()],
        evaluation=evaluation,
        item_columns=pl.read_parquet(folder / "item_columns.parquet"),
        index=_index_from_folder(folder, manifest["files"]),
        version=_short((folder / MANIFEST_HASH).read_text()),
        index_version=_index_version(manifest["files"]),
    )


def _index_version(files: dict[str, str]) -> str:
    """Tells apart what is searched, and how: the item vectors, and the index over them."""
    searched = [files[name] for name in (ITEM_VECTORS, INDEX, INDEX_STRUCTURE) if name in files]
    return _short(hashlib.sha256("".join(searched).encode()).hexdigest())


def _short(digest: str) -> str:
    return digest[:VERSION_DIGITS]


def _index_from_folder(folder: Path, files: Collection[str]) -> SavedIndex | None:
    if INDEX not in files:
        return None
    structure = (folder / INDEX_STRUCTURE).read_bytes() if INDEX_STRUCTURE in files else None
    return SavedIndex(**_from_json(folder / INDEX), structure=structure)


def manifest_hash(manifest: bytes) -> bytes:
    """What stands in the file beside the manifest."""
    return hashlib.sha256(manifest).hexdigest().encode() + b"\n"


def _map_tensors(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a safetensors file, read-only, as views of the mapped file.

    Source of the layout: https://huggingface.co/docs/safetensors.
    """
    mapped = np.memmap(path, np.uint8, mode="r")
    begin = 8 + int.from_bytes(mapped[:8].tobytes(), "little")
    tensors = {}
    for name, entry in json.loads(mapped[8:begin].tobytes()).items():
        start, stop = entry["data_offsets"]
        numbers = mapped[begin + start : begin + stop].view(np.ndarray)
        tensors[name] = numbers.view(DTYPES[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def _from_json(path: Path) -> Any:
    return json.loads(path.read_bytes())


def _to_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _to_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _save_tensors(**arrays: npt.NDArray[Any]) -> bytes:
    # safetensors takes the memory of an array with strides as it lies, which would be wrong numbers.
    return save_tensors({name: np.ascontiguousarray(array) for name, array in arrays.items()})
