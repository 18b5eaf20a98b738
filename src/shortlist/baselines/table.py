"""Every baseline by its name: how it is fitted, what to try, and why it may not be computed."""

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from shortlist.baselines.content_knn import content_knn_without_content, fit_content_knn
from shortlist.baselines.ease import ease_too_large, fit_ease
from shortlist.baselines.ials import fit_ials, ials_too_large
from shortlist.baselines.item_knn import fit_item_knn, item_knn_too_large
from shortlist.baselines.popularity import fit_popularity
from shortlist.baselines.recent_popularity import fit_recent_popularity, recent_popularity_without_times
from shortlist.baselines.scorer import Scorer
from shortlist.data import Dataset
from shortlist.errors import MissingExtraError, require_extra

__all__ = ["BASELINES", "Baseline"]


def _always(_: Dataset) -> str | None:
    return None


@dataclasses.dataclass(frozen=True)
class Baseline:
    """A baseline as an evaluation takes it.

    `fit(train, **settings)` gives its scorer. `grid` holds the settings that a small search on validation events
    tries, none where there is nothing to choose. `needs` names libraries of the extra `train`. `refuses` looks at the
    training events, before any work, and says why they are too many or lack something.
    """

    fit: Callable[..., Scorer]
    grid: tuple[Mapping[str, Any], ...] = ()
    needs: tuple[str, ...] = ()
    refuses: Callable[[Dataset], str | None] = _always

    def why_not(self, train: Dataset) -> str | None:
        """Why this cannot be computed here, or None; a sentence without its subject.

        >>> BASELINES["recent_popularity"].why_not(Dataset({"u": [1], "i": [7]}, query_id="u", item_id="i"))
        'needs times, and no column has the role time'
        """
        try:
            require_extra("train", self.needs)
        except MissingExtraError as error:
            return str(error)
        return self.refuses(train)


BASELINES: Mapping[str, Baseline] = MappingProxyType(
    {
        "popularity": Baseline(fit_popularity),
        "recent_popularity": Baseline(
            fit_recent_popularity,
            grid=tuple({"share": share} for share in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)),
            refuses=recent_popularity_without_times,
        ),
        "item_knn": Baseline(
            fit_item_knn,
            grid=tuple({"neighbors": near, "shrinkage": shrink} for near in (20, 50, 200) for shrink in (10.0, 50.0)),
            needs=("scipy",),
            refuses=item_knn_too_large,
        ),
        "ease": Baseline(
            fit_ease,
            grid=tuple({"penalty": penalty} for penalty in (30.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0)),
            needs=("scipy",),
            refuses=ease_too_large,
        ),
        "ials": Baseline(
            fit_ials,
            grid=(
                {"width": 32, "alpha": 1.0, "penalty": 10.0},
                {"width": 32, "alpha": 4.0, "penalty": 30.0},
                {"width": 32, "alpha": 16.0, "penalty": 60.0},
                {"width": 128, "alpha": 4.0, "penalty": 30.0},
                {"width": 128, "alpha": 16.0, "penalty": 60.0},
                {"width": 128, "alpha": 64.0, "penalty": 100.0},
            ),
            needs=("scipy", "implicit", "threadpoolctl"),
            refuses=ials_too_large,
        ),
        "content_knn": Baseline(
            fit_content_knn,
            grid=tuple({"rarity": rarity} for rarity in (0.0, 0.5, 1.0, 2.0)),
            needs=("scipy",),
            refuses=content_knn_without_content,
        ),
    }
)
