import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from shortlist.errors import BundleError
from shortlist.index import ExactIndex, IvfIndex, make_index

VECTORS = np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32)


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_exact_index_comes_back_from_its_settings(precision: Any) -> None:
    made = ExactIndex(VECTORS, precision=precision)
    again = make_index(VECTORS, made.settings)
    assert again.settings == made.settings == {"kind": "exact", "precision": precision}
    assert np.array_equal(again.vectors, made.vectors)


@pytest.mark.parametrize(
    ("settings", "blob", "wanted"),
    [
        ({"kind": "hnsw"}, None, "The kind of an index should be one of 'exact', 'ivf', but it is 'hnsw'"),
        ({}, None, "The kind of an index should be one of 'exact', 'ivf', but it is None"),
        ({"kind": ["exact"]}, None, r"should be one of 'exact', 'ivf', but it is \['exact'\]"),
        ({"kind": "exact", "speed": 3}, None, "settings of the exact index are damaged.*speed is not a known key"),
        ({"kind": "exact", "precision": "int4"}, None, "settings of the exact index are damaged.*precision should be"),
        ({"kind": "exact"}, b"x", "An exact index has no FAISS part, but there is one"),
        ({"kind": "ivf", "num_lists": 2, "num_probes": 1}, None, "An ivf index has a FAISS part, but there is none"),
        ({"kind": "ivf", "num_lists": 2}, b"x", "settings of the ivf index are damaged.*num_probes is missing"),
        ({"kind": "ivf", "num_lists": 2, "num_probes": 1, "m": 8}, b"x", "m is not a known key"),
        ({"kind": "ivf", "num_lists": 2, "num_probes": 9}, b"x", "num_probes should be at most num_lists"),
    ],
)
def test_settings_that_no_index_has_are_refused(settings: dict[str, Any], blob: bytes | None, wanted: str) -> None:
    with pytest.raises(BundleError, match=wanted):
        make_index(VECTORS, settings, blob)


def test_empty_catalogue_comes_back() -> None:
    made = IvfIndex(VECTORS[:0], num_lists=4, num_probes=1)
    again = make_index(VECTORS[:0], made.settings, made.to_bytes())
    assert again.search(VECTORS[:1, None], 3).rows[0].tolist() == []


def test_exact_search_never_imports_faiss() -> None:
    program = (
        "import sys, numpy as np; from shortlist.index import make_index; "
        "make_index(np.ones((3, 2), np.float32), {'kind': 'exact'}); sys.exit('faiss' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
