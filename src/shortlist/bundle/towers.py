"""Running a saved tower without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from shortlist.bundle.files import WEIGHTS
from shortlist.features import Encoded, Numbers, RowLists, Rows

__all__ = ["OnnxTower"]

# Rows that go through a tower at once, and places of padded lists: a tower holds a vector for each.
BLOCK_ROWS = 4_096
BLOCK_PLACES = 1 << 17
# The input of a list of nothing, for a tower takes no empty one.
PADDING = np.zeros((1, 1), np.int64)


class OnnxTower:
    """A tower as ONNX, run by ONNX Runtime on `threads` threads (0: one a core).

    `graph` is one of a bundle's, `weights` the file that it points into: the path of a saved one is mapped, so that
    a table of any size is there at once and processes share it; bytes are copied.
    """

    def __init__(self, graph: bytes, weights: bytes | Path, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        if isinstance(weights, Path):
            options.add_session_config_entry(
                "session.model_external_initializers_file_folder_path", str(weights.parent)
            )
        else:
            options.add_external_initializers_from_files_in_memory([WEIGHTS], [weights], [len(weights)])
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def __call__(self, encoded: Mapping[str, Encoded]) -> npt.NDArray[np.float32]:
        """The vectors [N, D] of the encoded rows."""
        num_rows = len(next(iter(encoded.values())))
        if num_rows == 1:
            return self._run(encoded, 0, 1)
        longest = [np.diff(lists.offsets).max(initial=1) for lists in encoded.values() if isinstance(lists, RowLists)]
        height = max(min(BLOCK_ROWS, BLOCK_PLACES // int(max(longest, default=1))), 1)
        return np.concatenate([self._run(encoded, start, height) for start in range(0, num_rows, height)])

    def _run(self, encoded: Mapping[str, Encoded], start: int, height: int) -> npt.NDArray[np.float32]:
        """The vectors of a block of at most `height` rows."""
        inputs = {name: _input(column, start, height) for name, column in encoded.items()}
        vectors: npt.NDArray[np.float32] = self._session.run(None, inputs)[0]
        return vectors


def _input(column: Encoded, start: int, height: int) -> npt.NDArray[Any]:
    """A block of an encoded column in the exact form and type that the graph takes."""
    stop = min(start + height, len(column))
    match column:
        case Rows(rows):
            return rows[start:stop].astype(np.int64)
        case Numbers(values):
            return values[start:stop]
        case RowLists(offsets, rows):
            if stop - start == 1:
                alone = rows[offsets[start] : offsets[stop]].astype(np.int64)
                return alone[None, :] if len(alone) else PADDING
            cut = offsets[start : stop + 1]
            return RowLists(cut - cut[0], rows[cut[0] : cut[-1]]).padded()
