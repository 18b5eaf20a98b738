"""What every baseline gives once it is fitted: a function from users to the scores of all items."""

import dataclasses
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

__all__ = ["Floats", "PersonalScorer", "Rows", "Scorer", "SharedScorer"]

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# User rows [B] int64 -> the scores of all N items, higher is better: [B, N] float32, finite, perhaps read-only.
# A row outside the training's users is a user without events. Memory grows with B x N: the caller chooses B.
Scorer = Callable[[Rows], Floats]


@dataclasses.dataclass(frozen=True)
class SharedScorer:
    """The same scores [N] for everyone.

    >>> SharedScorer(np.array([3, 1], np.float32))(np.array([0, 5])).tolist()
    [[3.0, 1.0], [3.0, 1.0]]
    """

    scores: Floats

    def __call__(self, user_rows: Rows) -> Floats:
        return np.broadcast_to(self.scores, (len(user_rows), len(self.scores)))


@dataclasses.dataclass(frozen=True)
class PersonalScorer:
    """Scores of users with training events by `personal`, and how popular items are for everyone else.

    `personal` takes only rows of users with events and gives any floats [B, N]. `known` [U] says which users have
    events, and `popularity` [N] what the others get: without a history nothing better is known.

    >>> score = PersonalScorer(lambda users: np.ones((len(users), 2)), np.array([True, False]),
    ...                        popularity=np.array([3, 1], np.float32))
    >>> score(np.array([0, 1])).tolist()
    [[1.0, 1.0], [3.0, 1.0]]
    """

    personal: Callable[[Rows], npt.NDArray[np.floating]]
    known: npt.NDArray[np.bool_]
    popularity: Floats

    def __call__(self, user_rows: Rows) -> Floats:
        listed = (user_rows >= 0) & (user_rows < len(self.known))
        known = listed & self.known[np.where(listed, user_rows, 0)]
        scores = np.empty((len(user_rows), len(self.popularity)), np.float32)
        scores[~known] = self.popularity
        scores[known] = self.personal(user_rows[known])
        return scores
