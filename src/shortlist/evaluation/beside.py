"""The baselines that a protocol names, fitted on a split's training events and ranked on the same targets."""

from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.baselines import popularity
from shortlist.data import Split
from shortlist.data.seen import Seen
from shortlist.evaluation.assess import Assessment
from shortlist.evaluation.evaluate import Evaluation, Targets, evaluate
from shortlist.evaluation.scoring import Scoring, UserScores
from shortlist.evaluation.slices import default_slices
from shortlist.settings.evaluation import Protocol

__all__ = ["assess", "evaluate_baselines", "popularity_scores"]


def popularity_scores(counts: npt.NDArray[np.float32], targets: Targets) -> UserScores:
    """The same scores for everyone: how often training touched each item [N]."""
    return UserScores(lambda users: np.broadcast_to(counts, (len(users), len(counts))), targets.user_rows, len(counts))


def assess(scoring: Scoring, *, split: Split, targets: Targets, seen: Seen, protocol: Protocol) -> Assessment:
    """Rank the targets by the model and by the baselines; `seen` is what users had touched before."""
    counts = popularity(split.train)
    model = evaluate(scoring, targets, protocol=protocol, seen=seen, name="the model", popularity=counts)
    beside, not_computed = evaluate_baselines(split, targets, protocol, seen, counts)
    user_events = np.bincount(split.train.user_rows, minlength=split.train.num_users)
    return Assessment(model, beside, not_computed, default_slices(targets, user_events, counts))


def evaluate_baselines(
    split: Split, targets: Targets, protocol: Protocol, seen: Seen, shown_against: Any = None
) -> tuple[dict[str, Evaluation], dict[str, str]]:
    """The protocol's baselines, fitted on the training events alone, and by name why others could not be.

    With `shown_against`, how often training touched each item [N], what their lists show is measured too.
    """
    scoring = popularity_scores(popularity(split.train), targets)
    found = evaluate(
        scoring, targets, protocol=protocol, seen=seen, name="popularity", alarm=False, popularity=shown_against
    )
    return {"popularity": found}, {}
