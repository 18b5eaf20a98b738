"""Why items stand in a list: what they are like in the history, and what each feature did for them."""

import numpy as np
import numpy.typing as npt

from shortlist.bundle import OnnxTower
from shortlist.features import Encoded, RowLists
from shortlist.recommender.answers import Near, Why
from shortlist.recommender.catalogue import Catalogue

__all__ = ["directions_of", "feature_effects", "nearest_of_history", "reasons"]

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]
# How many items of the history are named for an answer.
NEAREST = 3


def reasons(near: list[tuple[Near, ...]], effects: dict[str, Floats]) -> list[Why]:
    """The reasons of K answers from the items near each [K] and the effects of each feature [K]."""
    return [
        Why(items, {name: float(effect[place]) for name, effect in effects.items()}) for place, items in enumerate(near)
    ]


def directions_of(vectors: Floats, has_bias: bool) -> Floats:
    """Vectors [N, D] at length 1, without the item bias, which says how popular an item is and not what it is like."""
    vectors = vectors[:, :-1] if has_bias else vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    directions: Floats = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return directions


def nearest_of_history(
    answers: Rows, history: Rows, vectors: Floats, has_bias: bool, catalogue: Catalogue
) -> list[tuple[Near, ...]]:
    """For each answer [K] the items of the history [L] whose vectors point most in the same direction.

    At most three, the nearest first, and none that point away. An answer that stands in the history itself is not near
    itself.
    """
    history = np.unique(history)
    if not len(history):
        return [()] * len(answers)
    cosines = directions_of(vectors[answers], has_bias) @ directions_of(vectors[history], has_bias).T  # [K, L]
    cosines[answers[:, None] == history] = -1
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :NEAREST]
    return [
        tuple(
            Near(catalogue.ids[history[place]], catalogue.labels[history[place]], float(row[place]))
            for place in places
            if row[place] > 0
        )
        for row, places in zip(cosines, nearest, strict=True)
    ]


def feature_effects(
    encoded: dict[str, Encoded], silent: dict[str, Encoded], tower: OnnxTower, answers: Floats, average: Floats
) -> dict[str, Floats]:
    """How much each feature lifts each answer [K] above the average item, by the feature's name.

    It is what the score loses where the feature says nothing, less what the scores of all items lose on average, for
    what they all lose moves none past another. `encoded` is the query's input of the tower, `silent` that of a query
    that gives nothing; features without a silent form cannot be left out. `answers` [K, D] are the answers' vectors,
    `average` [D] is the mean of all items'. The tower runs once.
    """
    names = [name for name in encoded if name in silent]
    if not names:
        return {}
    variants = [encoded, *({**encoded, name: silent[name]} for name in names)]
    vectors = tower({name: stack([variant[name] for variant in variants]) for name in encoded})  # [1 + F, D]
    scores = vectors @ (answers - average).T  # [1 + F, K]
    return dict(zip(names, scores[0] - scores[1:], strict=True))


def stack(columns: list[Encoded]) -> Encoded:
    """Encoded columns, one after another."""
    first = columns[0]
    if isinstance(first, RowLists):
        lists = [column for column in columns if isinstance(column, RowLists)]
        lengths = np.concatenate([np.diff(column.offsets) for column in lists])
        return RowLists.of_lengths(np.concatenate([column.rows for column in lists]), lengths)
    (field,) = vars(first)
    return type(first)(np.concatenate([vars(column)[field] for column in columns]))
