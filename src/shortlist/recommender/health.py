"""The health of a bundle's vectors, asked as its users would ask."""

import numpy as np
import numpy.typing as npt
import polars as pl

from shortlist.bundle import Bundle, OnnxTower
from shortlist.data import Roles
from shortlist.doctor import Health, vector_health
from shortlist.doctor.health import MOST_QUERIES, SEED
from shortlist.features import Encoded
from shortlist.recommender.histories import HistoryEncoder
from shortlist.recommender.query import read_queries

__all__ = ["bundle_health", "known_query_vectors"]


def bundle_health(bundle: Bundle) -> Health:
    """Figures and findings about a bundle's item vectors and the lists that its users would get, seen items included.

    At most 1,000 of the users that training knows are asked, drawn with a fixed seed; what an event would say (its
    time) is filled as for a query that does not give it.
    """
    return vector_health(
        bundle.item_vectors,
        bundle.items["popularity"].to_numpy(),
        known_query_vectors(bundle, MOST_QUERIES),
        labels=_names(bundle),
        unknown=_unknown_item(bundle),
        item_bias=bundle.experiment["model"]["two_tower"]["item_bias"],
    )


def _names(bundle: Bundle) -> list[str]:
    """What to call each item: its label with its id, for several items may have one label."""
    pairs = bundle.items.select("id", "label").iter_rows()
    return [label if str(identifier) == label else f"{label} [{identifier}]" for identifier, label in pairs]


def known_query_vectors(bundle: Bundle, most: int) -> npt.NDArray[np.float32]:
    """The query vectors [B, 1, D] of the users that training knows, or of `most` of them drawn with a fixed seed."""
    known = np.flatnonzero(bundle.user_events > 0)
    if len(known) > most:
        known = np.sort(np.random.default_rng(SEED).choice(known, most, replace=False))
    roles = Roles(**bundle.data["roles"])
    read = read_queries(
        bundle.users[known].select(roles.query_id),
        bundle.features.user + bundle.features.event,
        histories=HistoryEncoder(bundle)(known),
        roles=roles,
        users=bundle.users,
        user_rows=known,
        trained=np.ones(len(known), np.bool_),
    )
    return OnnxTower(bundle.query_tower, bundle.weights)(read.encoded)[:, None]  # [B, D] -> [B, 1, D]


def _unknown_item(bundle: Bundle) -> npt.NDArray[np.float32] | None:
    """The vector of an item of which nothing is known; None where a feature takes no missing values."""
    encoded: dict[str, Encoded] = {}
    for feature in bundle.features.item:
        if feature.choice.missing == "error":
            return None
        encoded[feature.name] = feature.encode(pl.Series([None]))
    vector: npt.NDArray[np.float32] = OnnxTower(bundle.item_tower, bundle.weights)(encoded)[0]
    return vector
