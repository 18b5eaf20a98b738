"""The rows of the benchmark's files, checked; and as the integers and numbers that towers take, encoded with NumPy.

NumPy and the standard library alone, for programs that know nothing of shortlist read by it.
"""

import string
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["MAX_TOKENS", "NUM_BOUNDARIES", "PADDING", "Columns", "MovieLens", "read_columns", "read_movielens"]

NUM_BOUNDARIES = 1_000
MAX_TOKENS = 10_000
PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2  # the rows of the table of words

# What Keras' TextVectorization does: it lower-cases ASCII only, and deletes punctuation instead of splitting there.
PLAIN = str.maketrans(string.ascii_uppercase, string.ascii_lowercase, string.punctuation)

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class MovieLens:
    """Both sides of the split and the catalogue, which holds each title once.

    A side has the columns user, moment, scaled_moment [rows, 1], title and words, a row a rating; the catalogue has
    title and words. Words are [rows, longest title] and padded at their ends.
    """

    train: Columns
    test: Columns
    catalogue: Columns
    num_users: int

    @property
    def num_titles(self) -> int:
        return len(self.catalogue["title"])


def read_movielens(folder: Path) -> MovieLens:
    """The data of a folder with `train.npz`, `test.npz` and `items.npz`, encoded.

    Raises ValueError where an array has another length than its neighbours, or an item row has no title.
    """
    with np.load(folder / "items.npz", allow_pickle=False) as arrays:
        titles, title_of_item = np.unique(arrays["title"], return_inverse=True)
    train, test = (read_columns(folder / f"{name}.npz", len(title_of_item)) for name in ("train", "test"))
    both = {name: np.concatenate([train[name], test[name]]) for name in train}
    users, user = np.unique(both["user_id"], return_inverse=True)
    words = words_of(titles)
    title = title_of_item[both["item_row"]].astype(np.int32)
    ratings = {
        "user": user.astype(np.int32),
        "moment": bucket(both["timestamp"]),
        "scaled_moment": standardise(both["timestamp"])[:, None],  # [rows] -> [rows, 1]
        "title": title,
        "words": words[title],
    }
    cut = len(train["user_id"])
    return MovieLens(
        train={name: column[:cut] for name, column in ratings.items()},
        test={name: column[cut:] for name, column in ratings.items()},
        catalogue={"title": np.arange(len(titles), dtype=np.int32), "words": words},
        num_users=len(users),
    )


def read_columns(path: Path, num_items: int) -> Columns:
    """The ratings of one file as they stand there, each item row checked to lie below `num_items`."""
    with np.load(path, allow_pickle=False) as arrays:
        columns = {name: arrays[name] for name in ("user_id", "item_row", "timestamp")}
    lengths = [len(column) for column in columns.values()]
    if len(set(lengths)) != 1 or lengths[0] == 0:
        raise ValueError(
            f"{path}: expected user_id, item_row and timestamp of one length above 0, got {lengths}; "
            "write the file anew"
        )
    lowest, highest = int(columns["item_row"].min()), int(columns["item_row"].max())
    if lowest < 0 or highest >= num_items:
        raise ValueError(
            f"{path}: expected item_row from 0 to {num_items - 1}, got {lowest} to {highest}; "
            "write it anew together with items.npz"
        )
    return columns


def bucket(timestamps: np.ndarray) -> np.ndarray:
    """The bucket of every timestamp, 0 to 1,000; compared in float32, as Keras does."""
    boundaries = np.linspace(timestamps.min(), timestamps.max(), num=NUM_BOUNDARIES)
    return np.digitize(timestamps.astype(np.float32), boundaries.astype(np.float32)).astype(np.int32)


def standardise(timestamps: np.ndarray) -> np.ndarray:
    """The timestamps with mean 0 and variance 1, float32."""
    scaled: np.ndarray = (timestamps - timestamps.mean()) / timestamps.std()
    return scaled.astype(np.float32)


def words_of(titles: np.ndarray) -> np.ndarray:
    """The rows of every title's words [titles, longest title] int32: the most frequent words have rows of their own."""
    split = [str(title).translate(PLAIN).split() for title in titles]
    frequent = Counter(word for words in split for word in words).most_common(MAX_TOKENS - FIRST_WORD)
    row = {word: place for place, (word, _) in enumerate(frequent, start=FIRST_WORD)}
    padded = np.full((len(split), max(map(len, split))), PADDING, dtype=np.int32)
    for title, words in zip(padded, split, strict=True):
        title[: len(words)] = [row.get(word, UNKNOWN) for word in words]
    return padded
