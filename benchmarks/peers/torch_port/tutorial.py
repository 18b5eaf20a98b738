"""Train and time the deep retrieval tutorial as a plain PyTorch program, without any retrieval library.

The peer run of a benchmark: it answers what a user gets who ports the tutorial by hand, and so what a library adds. It
runs in the project's own environment but knows nothing of shortlist: the two meet only in files, the rows of `--data`
and the numbers of `--out`, so both train and test on the same rows.

    python -m peers.torch_port.tutorial --data ml100k --layers 64,32 --seed 1 --out result.json # in benchmarks/

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
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from peers.encoded import MAX_TOKENS, NUM_BOUNDARIES, PADDING, Columns, read_movielens
from peers.program import (
    KS,
    LEARNING_RATE,
    TEST_BATCH,
    TRAIN_BATCH,
    WIDTH,
    accuracy_name,
    make_parser,
    parse_options,
    run,
    seconds_of,
)


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


def read(folder: Path) -> MovieLens:
    """The data of a folder as `read_movielens` gives it, as tensors."""
    data = read_movielens(folder)
    words = torch.from_numpy(data.catalogue["words"]).long()
    return MovieLens(ratings_of(data.train), ratings_of(data.test), words, data.num_users)


def ratings_of(columns: Columns) -> Ratings:
    """One side of the split as tensors."""
    tensors = {name: torch.from_numpy(columns[name]) for name in ("user", "moment", "scaled_moment", "title")}
    return Ratings(**{name: t if t.is_floating_point() else t.long() for name, t in tensors.items()})


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
    seconds = seconds_of(STARTED, begun, mark, epoch_seconds, validation_seconds)
    return {**accuracies, "seconds": seconds}


def lap(mark: float, laps: list[float]) -> tuple[float, list[float]]:
    """The time now, and the laps with the one that ends now."""
    now = time.perf_counter()
    return now, [*laps, now - mark]


def main() -> None:
    """Read, train, write."""
    parser = make_parser("peers.torch_port.tutorial", "Train a plain PyTorch port of the tutorial and time it.")
    run(parse_options(parser), read, train, f"torch {torch.__version__}")


if __name__ == "__main__":
    main()
