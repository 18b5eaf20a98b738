"""A bundle's evaluation, from the data that its manifest names."""

import numpy as np
import numpy.typing as npt

from shortlist.bundle import Bundle, OnnxTower
from shortlist.data import Dataset, datasets
from shortlist.data.splits import split as cut
from shortlist.errors import BundleError
from shortlist.evaluation import Assessment, Targets, assess
from shortlist.features import encode
from shortlist.settings import Protocol
from shortlist.settings.experiment import EvaluationSettings, SplitSettings

__all__ = ["evaluate_bundle"]


def evaluate_bundle(bundle: Bundle, *, data: Dataset | None = None, protocol: Protocol | None = None) -> Assessment:
    """Rank the test events of the bundle's data by the saved towers, beside the baselines.

    The data is read again from the source that the manifest names (or taken from `data`, the same data in
    Python), cut as then, and must have the same fingerprint: `BundleError` otherwise, and where the data had no
    name. The protocol is the training's unless given.
    """
    source = bundle.experiment["data"]["source"]
    if data is None and source is None:
        raise BundleError("This bundle's data came from Python and has no name to read it by; pass data=<the Dataset>.")
    if data is None and source not in datasets.NAMES:
        raise BundleError(
            f"This bundle's data is called {source!r}, which is no data set to be had by name; pass data=<the Dataset>."
        )
    data = datasets.load(source) if data is None else data
    split = cut(data, SplitSettings.model_validate(bundle.experiment["split"]).chosen)
    if split.fingerprint != bundle.data["fingerprint"]:
        raise BundleError(
            f"The data is not what this bundle was trained on (fingerprint {split.fingerprint[:12]}…, "
            f"expected {bundle.data['fingerprint'][:12]}…), so its test events could be training events. Train anew."
        )
    if protocol is None:
        protocol = EvaluationSettings.model_validate(bundle.experiment["evaluation"]).protocol
    targets = Targets.of(split.test, one_query=not bundle.features.event)
    return assess(
        _QueryVectors(bundle, split.test, targets),
        bundle.item_vectors,
        split=split,
        targets=targets,
        seen=split.seen_before(split.test),
        protocol=protocol,
    )


class _QueryVectors:
    """The query vectors of the targets, by the saved tower."""

    def __init__(self, bundle: Bundle, data: Dataset, targets: Targets) -> None:
        self._features = bundle.features
        self._tower = OnnxTower(bundle.query_tower, threads=0)
        self._users = data.users[targets.user_rows]
        self._events = data.interactions[targets.event_rows]

    def __call__(self, start: int, stop: int) -> npt.NDArray[np.float32]:
        users = encode(self._features.user, self._users[start:stop])
        events = encode(self._features.event, self._events[start:stop])
        return self._tower(users | events)[:, None]  # [B, D] -> [B, 1, D]
