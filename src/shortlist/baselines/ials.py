"""iALS: vectors of users and items by least squares over all pairs, touched or not."""

from typing import Any

import numpy as np
import numpy.typing as npt

from shortlist.baselines.history import touched, touched_weights
from shortlist.baselines.popularity import popularity
from shortlist.baselines.scorer import PersonalScorer, Rows
from shortlist.data import Dataset
from shortlist.errors import DivergedError, SettingsError, require_extra

__all__ = ["fit_ials", "ials_too_large"]

Floats = npt.NDArray[np.float64]

EPOCHS = 15
# Steps of conjugate gradients for each vector and epoch, implicit's own default.
STEPS = 3
# Multiplications at the largest width that is tried: some five minutes on one core.
MOST_OPERATIONS = 1_000_000_000_000
TRIED_WIDTH = 128


def fit_ials(
    train: Dataset,
    *,
    known: Dataset | None = None,
    width: int = 64,
    alpha: float = 1.0,
    penalty: float = 10.0,
    seed: int = 0,
) -> PersonalScorer:
    """Dot products of user and item vectors that explain what was touched, and also what was not.

    With r_ui the weights of a user's events with an item added up (1 each where there are none), the vectors x_u and
    y_i minimise the sum over all pairs of (1 + alpha r_ui) (p_ui - x_u . y_i)^2, where p_ui is 1 for what was touched
    and 0 elsewhere, plus penalty (sum |x_u|^2 + sum |y_i|^2) (Hu, Koren and Volinsky 2008,
    https://doi.org/10.1109/ICDM.2008.22). Users and items take turns for 15 epochs, by conjugate gradients and in the
    last by exact solves, so that items with the same events get the same vector and those without any get zeros. The
    library `implicit` computes it, in float64 and on all cores; the result depends on the seed alone. Users whom
    training does not know, and of whom there are `known` events, get the vector that explains these best.

    Raises `SettingsError` for a width under 1, an alpha that is negative or a penalty that is not positive,
    `DivergedError` where weights are too high for the penalty, and `MissingExtraError` without the extra `train`.

    A good yardstick for any size: the classic factor model, and hard to beat where features say little. Differs from
    EASE by its width, which bounds memory, and by counting how often a user came back.

    >>> data = Dataset({"u": [1, 1, 2, 2, 3], "i": [7, 8, 7, 8, 9]}, query_id="u", item_id="i")
    >>> fit_ials(data, width=2, penalty=0.01)(np.array([0])).round(1).tolist()
    [[1.0, 1.0, 0.0]]
    """
    if width < 1:
        raise SettingsError(f"width should be at least 1, but it is {width}.")
    if not alpha >= 0:
        raise SettingsError(f"alpha should not be negative, but it is {alpha}.")
    if not penalty > 0:
        raise SettingsError(f"penalty should be greater than 0, but it is {penalty}.")
    require_extra("train", ["scipy", "implicit", "threadpoolctl"])
    confidence = touched_weights(train)
    has_events = np.diff(confidence.indptr) > 0
    confidence.data = 1 + alpha * confidence.data
    users, items = _vectors(confidence, width, penalty, seed)
    if known is not None:
        theirs = touched_weights(known)
        theirs.data = 1 + alpha * theirs.data
        for user in np.flatnonzero(np.diff(theirs.indptr) > 0):
            users[user] = _fold_in(theirs[[user]], items, penalty)
            has_events[user] = True

    def score(user_rows: Rows) -> Any:
        return users[user_rows] @ items.T

    return PersonalScorer(score, has_events, popularity(train))


def _fold_in(confidence: Any, items: Floats, penalty: float) -> Floats:
    """The vector [D] of a user with these confidences [1, N] over fixed item vectors: an exact solve."""
    touched_items, weight = items[confidence.indices], confidence.data
    left = items.T @ items + (touched_items.T * (weight - 1)) @ touched_items + penalty * np.eye(items.shape[1])
    vector: Floats = np.linalg.solve(left, touched_items.T @ weight)
    return vector


def ials_too_large(train: Dataset) -> str | None:
    """Why the alternating solves would take too long, or None.

    >>> ials_too_large(Dataset({"u": [1, 1], "i": [7, 8]}, query_id="u", item_id="i")) is None
    True
    """
    pairs, rows = 2 * touched(train).nnz, train.num_users + train.num_items
    step = 4 * pairs * TRIED_WIDTH + 2 * rows * TRIED_WIDTH**2
    exact = pairs * TRIED_WIDTH**2 + rows * TRIED_WIDTH**3 // 3
    operations = (EPOCHS - 1) * (STEPS + 1) * step + exact
    if operations <= MOST_OPERATIONS:
        return None
    return f"needs about {operations:.0e} multiplications; the bound is {MOST_OPERATIONS:.0e}"


def _vectors(confidence: Any, width: int, penalty: float, seed: int) -> tuple[Floats, Floats]:
    """The vectors of users [U, D] and items [N, D], in float64: weights of millions leave float32 no solution."""
    from implicit.cpu.als import AlternatingLeastSquares
    from implicit.recommender_base import ModelFitError
    from scipy import sparse
    from threadpoolctl import threadpool_limits

    num_users, num_items = confidence.shape
    too_high = DivergedError(
        f"iALS finds no vectors for confidences of up to {confidence.max():.2g} with a penalty of {penalty:g}; lower "
        "alpha or the events' weights, or raise the penalty."
    )
    if confidence.max() > np.finfo(np.float32).max:  # implicit holds confidences in float32
        raise too_high
    # implicit has threads of its own, and warns of BLAS's beside them.
    with threadpool_limits(1, "blas"):
        model = AlternatingLeastSquares(factors=width, regularization=penalty, dtype=np.float64)
        model.user_factors = np.zeros((num_users, width))
        model.item_factors = np.random.default_rng(seed).random((num_items, width)) * 0.01
        matrix = sparse.csr_matrix(confidence)
        try:
            model.iterations, model.cg_steps = EPOCHS - 1, STEPS
            model.fit(matrix, show_progress=False)
            model.iterations, model.use_cg = 1, False
            model.fit(matrix, show_progress=False)
        except (ModelFitError, ValueError) as error:
            raise too_high from error
    return model.user_factors, model.item_factors
