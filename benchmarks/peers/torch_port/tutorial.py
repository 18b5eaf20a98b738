"""Train and time the deep retrieval tutorial as a plain PyTorch program, without any retrieval library.

The peer run of a benchmark: it answers what a user gets who ports the tutorial by hand, and so what a library adds. It
runs in the project's own environment but knows nothing of shortlist: the two meet only in files, the rows of `--data`
and the numbers of `--out`, so both train and test on the same rows.

    python tutorial.py --data ml100k --layers 64,32 --epochs 300 --validate-every 5 --seed 1 --out result.json

Of the tutorial it keeps features, widths, batches, loss, optimizer and initial weights, and the statistics that it
takes from test rows too. It differs in four ways. Everything is encoded to integers once, before training. Rows for
unknown ids are left out, as every id is known. A validation encodes the catalogue once, not once a test batch, and
looks for the title among the top ones instead of comparing scores. The catalogue holds each of its titles once.

Batches are gathered from whole tensors by index: a shuffling DataLoader over a TensorDataset picks row by row, and its
epoch took 1.6 seconds where this one takes 0.6 (torch 2.13.0, two cores). Adagrad with `fused` or `foreach`, and a
masked mean in place of the EmbeddingBag, made no difference beyond the noise.
Source: https://www.tensorflow.org/recommenders/examples/deep_recommenders
"""

# ruff: noqa: E402 - a clock starts before torch is imported
import time

STARTED = time.perf_counter()  # Python's own start, some 20 ms, is not counted; torch's import is

import argparse
import json
import os
import resource
import string
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTH = 32
NUM_BOUNDARIES = 1_000
MAX_TOKENS = 10_000
PADDING, UNKNOWN, FIRST_WORD = 0, 1, 2  # the rows of the table of words
LEARNING_RATE = 0.1
TRAIN_BATCH = 2_048
TEST_BATCH = 4_096
KS = (1, 5, 10, 50, 100)

# What Keras' TextVectorization does: it lower-cases ASCII only, and deletes punctuation instead of splitting there.
PLAIN = str.maketrans(string.ascii_uppercase, string.ascii_lowercase, string.punctuation)


@dataclass(frozen=True)
class Ratings:
    """Who rated which title when, as the towers take it: tensors of one length B, a row a rating."""

    user: Tensor  # int64
    moment: Tensor  # int64, the bucket of the timestamp
    scaled_moment: Tensor  # float32 [B, 1]
    title: Tensor  # int64

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Tensor) -> "Ratings":
        return Ratings(self.user[rows], self.moment[rows], self.scaled_moment[rows], self.title[rows])


@dataclass(frozen=True)
class MovieLens:
    """Both sides of the split, and the words [titles, longest title] of every title, padded at their ends."""

    train: Ratings
    test: Ratings
    words: Tensor
    num_users: int


def read_movielens(folder: Path) -> MovieLens:
    """The data of a folder with `train.npz`, `test.npz` and `items.npz`, encoded.

    Raises ValueError where an array has another length than its neighbours, or an item row has no title.
    """
    with np.load(folder / "items.npz", allow_pickle=False) as arrays:
        titles, title_of_item = np.unique(arrays["title"], return_inverse=True)
    train, test = (read_columns(folder / f"{name}.npz", len(title_of_item)) for name in ("train", "test"))
    both = {name: np.concatenate([train[name], test[name]]) for name in train}
    users, user = np.unique(both["user_id"], return_inverse=True)
    ratings = Ratings(
        user=torch.from_numpy(user),
        moment=torch.from_numpy(bucket(both["timestamp"])),
        scaled_moment=torch.from_numpy(standardise(both["timestamp"])).unsqueeze(1),  # [B] -> [B, 1]
        title=torch.from_numpy(title_of_item[both["item_row"]]),
    )
    rows = torch.arange(len(ratings))
    cut = len(train["user_id"])
    return MovieLens(ratings.take(rows[:cut]), ratings.take(rows[cut:]), torch.from_numpy(words_of(titles)), len(users))


def read_columns(path: Path, num_items: int) -> dict[str, np.ndarray]:
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
    buckets: np.ndarray = np.digitize(timestamps.astype(np.float32), boundaries.astype(np.float32))
    return buckets


def standardise(timestamps: np.ndarray) -> np.ndarray:
    """The timestamps with mean 0 and variance 1, float32."""
    scaled: np.ndarray = (timestamps - timestamps.mean()) / timestamps.std()
    return scaled.astype(np.float32)


def words_of(titles: np.ndarray) -> np.ndarray:
    """The rows of every title's words [titles, longest title] int64: the most frequent words have rows of their own."""
    split = [str(title).translate(PLAIN).split() for title in titles]
    frequent = Counter(word for words in split for word in words).most_common(MAX_TOKENS - FIRST_WORD)
    row = {word: place for place, (word, _) in enumerate(frequent, start=FIRST_WORD)}
    padded = np.full((len(split), max(map(len, split))), PADDING)
    for title, words in zip(padded, split, strict=True):
        title[: len(words)] = [row.get(word, UNKNOWN) for word in words]
    return padded


class QueryTower(nn.Module):
    """A user at a moment as a vector: both embedded, the moment as a number beside them, dense layers over all."""

    def __init__(self, num_users: int, layers: Sequence[int]) -> None:
        super().__init__()
        self.user = nn.Embedding(num_users, WIDTH)
        self.moment = nn.Embedding(NUM_BOUNDARIES + 1, WIDTH)
        self.dense = dense(2 * WIDTH + 1, layers)

    def forward(self, ratings: Ratings) -> Tensor:
        features = [self.user(ratings.user), self.moment(ratings.moment), ratings.scaled_moment]
        vectors: Tensor = self.dense(torch.cat(features, dim=1))
        return vectors


class ItemTower(nn.Module):
    """A title as a vector: itself and the mean of its words embedded, dense layers over both."""

    words: Tensor

    def __init__(self, words: Tensor, layers: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("words", words)
        self.title = nn.Embedding(len(words), WIDTH)
        self.mean_word = nn.EmbeddingBag(MAX_TOKENS, WIDTH, mode="mean", padding_idx=PADDING)
        self.dense = dense(2 * WIDTH, layers)

    def forward(self, title: Tensor) -> Tensor:
        features = [self.title(title), self.mean_word(self.words[title])]
        vectors: Tensor = self.dense(torch.cat(features, dim=1))
        return vectors


def dense(width: int, layers: Sequence[int]) -> nn.Sequential:
    """Linear layers over inputs of that width, ReLU between them and nothing after the last."""
    stack: list[nn.Module] = []
    for below, above in zip([width, *layers], layers, strict=False):
        stack += [nn.Linear(below, above), nn.ReLU()]
    return nn.Sequential(*stack[:-1])


class TwoTowers(nn.Module):
    """The tutorial's model: two towers of equal depth, with the initial weights of Keras."""

    def __init__(self, data: MovieLens, layers: Sequence[int]) -> None:
        super().__init__()
        self.query_tower = QueryTower(data.num_users, layers)
        self.item_tower = ItemTower(data.words, layers)
        self.apply(start_as_keras)

    def forward(self, ratings: Ratings) -> Tensor:
        """The loss of a batch: every rating's title against the titles of all the batch's ratings, summed."""
        scores = self.query_tower(ratings) @ self.item_tower(ratings.title).T  # [B, B], own titles on the diagonal
        return functional.cross_entropy(scores, torch.arange(len(scores)), reduction="sum")


def start_as_keras(module: nn.Module) -> None:
    """Draw a layer's weights as Keras does, whose defaults differ from those of PyTorch."""
    if isinstance(module, nn.Embedding | nn.EmbeddingBag):
        nn.init.uniform_(module.weight, -0.05, 0.05)
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)


def batches(ratings: Ratings) -> Iterator[Ratings]:
    """All ratings once, in a new random order; the last batch is smaller."""
    for rows in torch.split(torch.randperm(len(ratings)), TRAIN_BATCH):
        yield ratings.take(rows)


def train_epoch(model: TwoTowers, optimizer: torch.optim.Optimizer, ratings: Ratings) -> None:
    """One pass over the ratings, a step a batch."""
    for batch in batches(ratings):
        optimizer.zero_grad()
        model(batch).backward()
        optimizer.step()


@torch.inference_mode()
def validate(model: TwoTowers, ratings: Ratings) -> dict[str, float]:
    """The share of ratings whose title is among the top K of the whole catalogue."""
    catalogue = model.item_tower(torch.arange(len(model.item_tower.words)))  # [N, D]
    hits = torch.zeros(max(KS))
    for rows in torch.split(torch.arange(len(ratings)), TEST_BATCH):
        batch = ratings.take(rows)
        top = (model.query_tower(batch) @ catalogue.T).topk(max(KS)).indices  # [B, 100], best first
        hits += (top == batch.title.unsqueeze(1)).sum(dim=0)
    return {accuracy_name(k): round(hits[:k].sum().item() / len(ratings), 6) for k in KS}


def accuracy_name(k: int) -> str:
    """What the result calls the accuracy at `k`."""
    return f"top_{k}_accuracy"


def train(data: MovieLens, options: argparse.Namespace) -> dict[str, Any]:
    """The tutorial's training at one depth: the accuracies and seconds of `result.json`."""
    torch.manual_seed(options.seed)
    model = TwoTowers(data, options.layers)
    optimizer = torch.optim.Adagrad(model.parameters(), LEARNING_RATE, initial_accumulator_value=0.1, eps=1e-7)
    accuracies: dict[str, list[float]] = {accuracy_name(k): [] for k in KS}
    epoch_seconds: list[float] = []
    validation_seconds: list[float] = []
    begun = mark = time.perf_counter()
    for epoch in range(1, options.epochs + 1):
        train_epoch(model, optimizer, data.train)
        mark, epoch_seconds = lap(mark, epoch_seconds)
        if epoch % options.validate_every:
            continue
        for name, accuracy in validate(model, data.test).items():
            accuracies[name].append(accuracy)
        mark, validation_seconds = lap(mark, validation_seconds)
        print(
            f"epoch {epoch}/{options.epochs}: top-{KS[-1]} accuracy {accuracies[accuracy_name(KS[-1])][-1]:.4f}, "
            f"epoch {epoch_seconds[-1]:.2f} s, validation {validation_seconds[-1]:.2f} s",
            file=sys.stderr,
            flush=True,
        )
    seconds = {
        "fit": round(mark - begun, 3),
        "startup": round(begun - STARTED, 3),
        "epoch": epoch_seconds,
        "validation": validation_seconds,
    }
    return {**accuracies, "seconds": seconds}


def lap(mark: float, laps: list[float]) -> tuple[float, list[float]]:
    """The time now, and the laps with the one that ends now."""
    now = time.perf_counter()
    return now, [*laps, round(now - mark, 4)]


def peak_memory_mb() -> float:
    """The most memory this process held at once, in units of 10^6 bytes; Linux counts it in KiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024 / 1e6, 1)


def write_json(path: Path, result: Mapping[str, Any]) -> None:
    """Puts the result in place at once, so that a reader never meets half a file."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(result) + "\n", encoding="utf-8")
    unfinished.replace(path)


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected whole numbers above 0, got {text!r}")
    return int(text)


def layer_widths(text: str) -> list[int]:
    """The widths of a tower's dense layers, first to last, from numbers set apart by commas."""
    return [positive(part) for part in text.split(",")]


def parse_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line's options; ends the process with code 2 where they make no sense."""
    parser = argparse.ArgumentParser(
        description="Train a plain PyTorch port of the deep retrieval tutorial and write its accuracies and seconds.",
        epilog="example: python tutorial.py --data ml100k --layers 64,32 --seed 1 --out result.json",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of train.npz, test.npz and items.npz")
    parser.add_argument("--layers", type=layer_widths, required=True, help="widths of the dense layers, as in 64,32")
    parser.add_argument("--epochs", type=positive, default=300, help="how often to go through the training rows")
    parser.add_argument("--validate-every", type=positive, default=5, help="epochs from one validation to the next")
    parser.add_argument("--seed", type=int, default=1, help="seed of the weights and of the order of rows")
    parser.add_argument("--out", type=Path, required=True, help="file for the result, replaced if it exists")
    options = parser.parse_args(arguments)
    if options.validate_every > options.epochs:
        parser.error(f"--validate-every {options.validate_every} never comes within --epochs {options.epochs}")
    if not options.out.resolve().parent.is_dir():
        parser.error(f"--out {options.out}: its folder does not exist; make it first")
    return options


def main() -> None:
    """Read, train, write."""
    options = parse_options()
    try:
        data = read_movielens(options.data)
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"tutorial.py: {error}")
    measured = train(data, options)
    settings = {
        "layers": options.layers,
        "epochs": options.epochs,
        "validate_every": options.validate_every,
        "seed": options.seed,
        "library": f"torch {torch.__version__}",
    }
    write_json(options.out, {**settings, **measured, "peak_memory_mb": peak_memory_mb()})


if __name__ == "__main__":
    main()
