"""Small worlds and plain float64 references for the baselines."""

import numpy as np
import numpy.typing as npt

import shortlist as sl

Floats = npt.NDArray[np.float64]

WORDS = ["war", "love", "space", "robots", "songs", "cards", "snow", "desert"]


def random_world(*, num_users: int = 12, num_items: int = 9, seed: int = 0) -> sl.Dataset:
    """Users with histories of all lengths, repeated events, weights, times, words and genres.

    The last user has no event in the table, the last item was touched by nobody.
    """
    generator = np.random.default_rng(seed)
    num_events = num_users * 4
    genres = [sorted(generator.choice(WORDS[:4], generator.integers(0, 3), replace=False)) for _ in range(num_items)]
    return sl.Dataset(
        {
            "user": generator.integers(num_users - 1, size=num_events),
            "item": (generator.random(num_events) ** 2 * (num_items - 1)).astype(np.int64),
            "weight": generator.integers(1, 4, size=num_events) / 2,
            "time": generator.integers(20, size=num_events),
        },
        items={
            "item": np.arange(num_items),
            "title": [" ".join(generator.choice(WORDS, 2)) for _ in range(num_items)],
            "genres": [[str(genre) for genre in one] for one in genres],
        },
        users={"user": np.arange(num_users)},
        query_id="user",
        item_id="item",
        weight="weight",
        time="time",
    )


def binary(data: sl.Dataset) -> Floats:
    """1 where the user touched the item [U, N]."""
    matrix = np.zeros((data.num_users, data.num_items))
    matrix[data.user_rows, data.item_rows] = 1
    return matrix


def weighted(data: sl.Dataset) -> Floats:
    """The weights of a user's events with an item, added up [U, N]."""
    matrix = np.zeros((data.num_users, data.num_items))
    weights = np.ones(data.num_events) if data.weights is None else data.weights
    np.add.at(matrix, (data.user_rows, data.item_rows), weights)
    return matrix


def everyone(data: sl.Dataset) -> npt.NDArray[np.int64]:
    """All user rows [U]."""
    return np.arange(data.num_users)
