"""Which road to the inner kernel of the in-batch softmax is fastest?

Loss and gradients of 2,048 rows against 700 unique items of width 32, forward and back, by several programs that must
agree before any is timed, beside the three products of matrices that none can do without.

    scripts/bench softmax_roads                       # some seconds on two cores
    scripts/bench softmax_roads --compile --extension # a minute; both need a C++ compiler
"""

import argparse
import dataclasses
import functools
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional
from torch.utils import cpp_extension

from measure import Part, Rates, Road, about, interleaved, machine_rates
from shortlist.losses import Positives, in_batch_softmax

SOURCE = Path(__file__).with_suffix(".cpp")
FLAGS = ["-O3", "-march=native", "-fopenmp"]
TILE_ROWS = 64  # 64 × 700 scores take 180 kB, which a core's second cache holds
# How far, in parts of its largest number, a road's result may be from the one in float64.
TOLERANCE = 1e-4

# Query vectors [P, D] and item vectors [U, D] -> the loss, a scalar.
Loss = Callable[[Tensor, Tensor], Tensor]
# The same -> each row's loss [P], and the gradients of their sum by both.
Kernel = Callable[[Tensor, Tensor], list[Tensor]]


@dataclasses.dataclass(frozen=True)
class Problem:
    """One batch: query vectors [P, D], item vectors [U, D], each row's own item [P], and how often each stands [U]."""

    queries: Tensor
    items: Tensor
    column: Tensor
    counts: Tensor


def main() -> None:
    """Check that all roads agree, time them in turn and print one JSON row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--compile", action="store_true", help="also torch.compile, which takes a while to start")
    parser.add_argument("--extension", action="store_true", help=f"also {SOURCE.name}, compiled first")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--quick", action="store_true", help="a tiny batch and few rounds, to see that it runs")
    options = parser.parse_args()
    rows, unique, rounds = (64, 20, 2) if options.quick else (2_048, 700, options.rounds)
    problem = draw_problem(rows, unique, 32)
    losses: dict[str, Loss] = {
        "all_columns": functools.partial(all_columns, problem),
        "unique_items": functools.partial(unique_items, problem),
        "in_batch_softmax": functools.partial(shortlist_loss, problem),
    }
    seconds_to_start: dict[str, float] = {}
    if options.compile:
        losses["compiled"], seconds_to_start["compiled"] = compiled(problem)
    if options.extension:
        losses["extension"], seconds_to_start["extension"] = extension(problem)
    error = {name: check(name, loss, problem) for name, loss in losses.items()}
    roads = {name: Road(trained_on(loss, problem, name), repeat=5) for name, loss in losses.items()}
    roads["products"] = Road(products(problem), repeat=5)
    times = interleaved(roads, rounds)
    rates = machine_rates(quick=options.quick)
    table = []
    for name, measured in times.items():
        figures: dict[str, Any] = measured.to_json() | cost(problem, name, measured.median, rates)
        figures["of_products"] = measured.median / times["products"].median
        if name in error:
            figures["error"] = error[name]
        if name in seconds_to_start:
            figures["seconds_to_start"] = seconds_to_start[name]
        table.append({"road": name, **figures})
    shape = {"quick": options.quick, "rows": rows, "unique_items": unique, "width": 32}
    print(json.dumps({**about("softmax_roads"), **shape, "rates": dataclasses.asdict(rates), "roads": table}))


def draw_problem(rows: int, unique: int, width: int) -> Problem:
    """Exactly `unique` items, each at least once; the others' chance falls as exp(−5·place / unique).

    The first then stands there a dozen times, as the first of MovieLens 100K does.
    """
    generator = np.random.default_rng(0)
    chance = np.exp(-5 * np.arange(unique) / unique)
    others = generator.choice(unique, size=rows - unique, p=chance / chance.sum())
    column = torch.from_numpy(generator.permutation(np.concatenate([np.arange(unique), others])))
    vectors = torch.Generator().manual_seed(0)
    return Problem(
        queries=torch.randn(rows, width, generator=vectors),
        items=torch.randn(unique, width, generator=vectors),
        column=column,
        counts=torch.bincount(column).float(),
    )


def cost(problem: Problem, road: str, seconds: float, rates: Rates) -> dict[str, float]:
    """What a road's products must cost, 6·P·C·D operations for C columns, and how far it is from that."""
    rows, width = problem.queries.shape
    columns = rows if road == "all_columns" else len(problem.items)
    compared = rates.compare(seconds, [Part(operations=6 * rows * columns * width)])
    return {"gflop": compared["operations"] / 1e9, "limit_s": compared["limit_s"], "ratio": compared["ratio"]}


# --- The roads ---------------------------------------------------------------------------------------------------


def all_columns(_: Problem, queries: Tensor, item_of_row: Tensor) -> Tensor:
    """As one would write it: every row against every row's item [P, D], repeats and all."""
    own = torch.arange(len(queries))
    return functional.cross_entropy(queries @ item_of_row.t(), own, reduction="sum")


def unique_items(problem: Problem, queries: Tensor, items: Tensor) -> Tensor:
    """Every row against each unique item, which counts as often as it stands there."""
    scores = queries @ items.t()  # [P, U]
    own_scores = scores.gather(1, problem.column.unsqueeze(1)).squeeze(1)
    return ((scores + problem.counts.log()).logsumexp(dim=1) - own_scores).sum()


def shortlist_loss(problem: Problem, queries: Tensor, items: Tensor) -> Tensor:
    """The library's own."""
    return in_batch_softmax(queries, items, Positives(problem.column, problem.counts), reduction="sum")


def compiled(problem: Problem) -> tuple[Loss, float]:
    """`unique_items` by torch.compile, and the seconds until its first loss and gradients are there."""
    started = time.perf_counter()
    loss: Loss = torch.compile(functools.partial(unique_items, problem))
    trained_on(loss, problem, "compiled")()
    return loss, time.perf_counter() - started


def extension(problem: Problem) -> tuple[Loss, float]:
    """The C++ program beside this file, and the seconds to compile it."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        module = cpp_extension.load_inline(  # type: ignore[no-untyped-call]
            name=SOURCE.stem,
            cpp_sources=SOURCE.read_text(),
            functions=["softmax_with_gradients"],
            extra_cflags=FLAGS,
            build_directory=folder,
        )
    seconds = time.perf_counter() - started
    log_counts, weights = problem.counts.log(), torch.ones(len(problem.queries))

    def kernel(queries: Tensor, items: Tensor) -> list[Tensor]:
        found: list[Tensor] = module.softmax_with_gradients(
            queries, items, problem.column, log_counts, weights, TILE_ROWS
        )
        return found

    def loss(queries: Tensor, items: Tensor) -> Tensor:
        value: Tensor = _FormedInForward.apply(queries, items, kernel)  # type: ignore[no-untyped-call]
        return value

    return loss, seconds


class _FormedInForward(torch.autograd.Function):
    """A kernel that gives the gradients with the losses, for autograd."""

    @staticmethod
    def forward(ctx: Any, queries: Tensor, items: Tensor, kernel: Kernel) -> Tensor:
        losses, *gradients = kernel(queries, items)
        ctx.save_for_backward(*gradients)
        return losses.sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad_queries, grad_items = ctx.saved_tensors
        return grad_queries * grads[0], grad_items * grads[0], None


def products(problem: Problem) -> Callable[[], None]:
    """The scores and both gradients as bare products into memory that is there already."""
    queries, items = problem.queries, problem.items
    scores = torch.empty(len(queries), len(items))
    grad_queries, grad_items = torch.empty_like(queries), torch.empty_like(items)

    def run() -> None:
        torch.mm(queries, items.t(), out=scores)
        torch.mm(scores, items, out=grad_queries)
        torch.mm(scores.t(), queries, out=grad_items)

    return run


# --- Running and checking ----------------------------------------------------------------------------------------


def trained_on(loss: Loss, problem: Problem, road: str) -> Callable[[], tuple[Tensor, Tensor, Tensor]]:
    """Gives the loss and its gradients by both sides' vectors, anew at each call."""
    queries = problem.queries.clone().requires_grad_()
    shown = problem.items[problem.column] if road == "all_columns" else problem.items.clone()
    items = shown.requires_grad_()

    def run() -> tuple[Tensor, Tensor, Tensor]:
        queries.grad = items.grad = None
        value = loss(queries, items)
        value.backward()  # type: ignore[no-untyped-call]
        assert queries.grad is not None  # noqa: S101 - for the type checker
        assert items.grad is not None  # noqa: S101
        return value.detach(), queries.grad, items.grad

    return run


def check(road: str, loss: Loss, problem: Problem) -> float:
    """How far the road is from the plain loss in float64, in parts of the largest number; stops if that is too far."""
    exact = Problem(problem.queries.double(), problem.items.double(), problem.column, problem.counts.double())
    expected = trained_on(functools.partial(unique_items, exact), exact, "exact")()
    value, grad_queries, grad_items = trained_on(loss, problem, road)()
    if road == "all_columns":
        grad_items = torch.zeros_like(problem.items).index_add_(0, problem.column, grad_items)
    found = (value, grad_queries, grad_items)
    errors = [float((got - want).abs().max() / want.abs().max()) for got, want in zip(found, expected, strict=True)]
    if not max(errors) <= TOLERANCE:  # NaN is refused too
        sys.exit(f"softmax_roads: {road} differs from the loss in float64 by {errors} (loss, queries, items).")
    return max(errors)


if __name__ == "__main__":
    main()
