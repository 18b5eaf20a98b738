"""The files of a bundle: one place that says what each part is called and how it is written and read."""

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from safetensors.numpy import save as save_tensors

from shortlist.bundle.contents import Bundle
from shortlist.data.histories import Histories
from shortlist.data.seen import Seen
from shortlist.features import Features

__all__ = ["MANIFEST", "MANIFEST_HASH", "REQUIRED", "WEIGHTS", "bundle_from_folder", "files_of_bundle", "manifest_hash"]

MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
# The one copy of the towers' weights, which both graphs point into.
WEIGHTS = "weights.safetensors"
# How safetensors calls the types of a bundle's arrays.
DTYPES = {"F32": np.float32, "I64": np.int64}
REQUIRED = (
    "features.json",
    "query.onnx",
    "item.onnx",
    WEIGHTS,
    "items.parquet",
    "users.parquet",
    "user_events.safetensors",
    "item_vectors.safetensors",
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
        "users.parquet": _to_parquet(bundle.users),
        "user_events.safetensors": _save_tensors(user_events=bundle.user_events),
        "item_vectors.safetensors": _save_tensors(vectors=bundle.item_vectors),
        "history.jsonl": b"".join(json.dumps(line).encode() + b"\n" for line in bundle.history),
    }
    if bundle.seen is not None:
        files["seen.safetensors"] = _save_tensors(offsets=bundle.seen.offsets, item_rows=bundle.seen.item_rows)
    if bundle.histories is not None:
        kept = bundle.histories
        files["histories.safetensors"] = _save_tensors(offsets=kept.offsets, item_rows=kept.item_rows)
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
        item_vectors=_map_tensors(folder / "item_vectors.safetensors")["vectors"],
        seen=None if seen is None else Seen(seen["offsets"], seen["item_rows"]),
        histories=None if in_time is None else Histories(in_time["offsets"], in_time["item_rows"]),
        history=[json.loads(line) for line in (folder / "history.jsonl").read_bytes().splitlines()],
        evaluation=evaluation,
    )


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
