"""The files of a bundle: one place that says what each part is called and how it is written and read."""

import io
import json
from typing import Any

import numpy as np
import polars as pl
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from shortlist.bundle.contents import Bundle
from shortlist.data.seen import Seen
from shortlist.features import Features

__all__ = ["MANIFEST", "MANIFEST_HASH", "REQUIRED", "bundle_from_files", "files_of_bundle"]

MANIFEST, MANIFEST_HASH = "manifest.json", "manifest.sha256"
REQUIRED = (
    "features.json",
    "query.onnx",
    "item.onnx",
    "items.parquet",
    "users.parquet",
    "training.safetensors",
    "item_vectors.safetensors",
    "history.jsonl",
)


def files_of_bundle(bundle: Bundle) -> dict[str, bytes]:
    """The bytes of every file but the manifest's two, by name."""
    files = {
        "features.json": _to_json(bundle.features.to_json()),
        "query.onnx": bundle.query_tower,
        "item.onnx": bundle.item_tower,
        "items.parquet": _to_parquet(bundle.items),
        "users.parquet": _to_parquet(bundle.users),
        "training.safetensors": save_tensors({"user_events": np.ascontiguousarray(bundle.user_events)}),
        "item_vectors.safetensors": save_tensors({"vectors": np.ascontiguousarray(bundle.item_vectors)}),
        "history.jsonl": b"".join(json.dumps(line).encode() + b"\n" for line in bundle.history),
    }
    if bundle.seen is not None:
        files["seen.safetensors"] = save_tensors({"offsets": bundle.seen.offsets, "item_rows": bundle.seen.item_rows})
    if bundle.evaluation is not None:
        files["evaluation.json"] = _to_json(bundle.evaluation)
    return files


def bundle_from_files(manifest: dict[str, Any], files: dict[str, bytes]) -> Bundle:
    """The bundle that `files_of_bundle` took apart."""
    seen = load_tensors(files["seen.safetensors"]) if "seen.safetensors" in files else None
    return Bundle(
        experiment=manifest["experiment"],
        data=manifest["data"],
        features=Features.from_json(json.loads(files["features.json"])),
        query_tower=files["query.onnx"],
        item_tower=files["item.onnx"],
        items=pl.read_parquet(io.BytesIO(files["items.parquet"])),
        users=pl.read_parquet(io.BytesIO(files["users.parquet"])),
        user_events=load_tensors(files["training.safetensors"])["user_events"],
        item_vectors=load_tensors(files["item_vectors.safetensors"])["vectors"],
        seen=None if seen is None else Seen(seen["offsets"], seen["item_rows"]),
        history=[json.loads(line) for line in files["history.jsonl"].splitlines()],
        evaluation=json.loads(files["evaluation.json"]) if "evaluation.json" in files else None,
    )


def _to_json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _to_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
