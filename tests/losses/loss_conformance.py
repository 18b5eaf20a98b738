"""What every loss over the batch's unique items must satisfy; a loss inherits the class and says how to call it."""

import dataclasses
import math
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shortlist.losses import Pairs, Positives

Reduction = Literal["sum", "mean"]


def random_batch(
    seed: int, *, positives: int = 7, items: int = 4, width: int = 3, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Positives]:
    """Query vectors, unique item vectors and positives with weights and log_q; every item is named at least once."""
    generator = np.random.default_rng(seed)
    _, column, counts = np.unique(generator.integers(items, size=positives), return_inverse=True, return_counts=True)
    queries = generator.normal(size=(positives, width))
    vectors = generator.normal(size=(len(counts), width))
    share = generator.dirichlet(np.ones(len(counts)))
    batch = Positives(
        column=torch.from_numpy(column),
        counts=torch.from_numpy(counts),
        weights=torch.from_numpy(generator.uniform(0.5, 2, positives)).to(dtype),
        log_q=torch.from_numpy(np.log(share)).to(dtype),
    )
    return torch.from_numpy(queries).to(dtype), torch.from_numpy(vectors).to(dtype), batch


def random_pairs(
    generator: np.random.Generator, batch: Positives, share: float, without: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.bool_]:
    """Which pairs [P, U] of a row and an item that is not its own are drawn, and not among those left out."""
    assert batch.counts is not None
    drawn = generator.random((len(batch.column), len(batch.counts))) < share
    drawn[np.arange(len(drawn)), batch.column] = False
    return drawn if without is None else drawn & ~without


def as_pairs(drawn: npt.NDArray[np.bool_]) -> Pairs:
    row, column = np.nonzero(drawn)
    return Pairs(torch.from_numpy(row), torch.from_numpy(column))


class LossConformance:
    """Inherit this, name the class `Test…` and define `loss`."""

    def loss(self, queries: Tensor, items: Tensor, batch: Positives, reduction: Reduction) -> Tensor:
        raise NotImplementedError

    @pytest.mark.parametrize("reduction", ["sum", "mean"])
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_gives_one_finite_number_of_the_vectors_type(self, reduction: Reduction, dtype: torch.dtype) -> None:
        value = self.loss(*random_batch(0, dtype=dtype), reduction)
        assert value.shape == ()
        assert value.dtype == dtype
        assert torch.isfinite(value)

    @pytest.mark.parametrize("reduction", ["sum", "mean"])
    @pytest.mark.parametrize("seed", range(3))
    def test_gradients_equal_finite_differences(self, reduction: Reduction, seed: int) -> None:
        queries, items, batch = random_batch(seed)

        def of_vectors(q: Tensor, v: Tensor) -> Tensor:
            return self.loss(q, v, batch, reduction)

        assert torch.autograd.gradcheck(of_vectors, (queries.requires_grad_(), items.requires_grad_()))

    @pytest.mark.parametrize("reduction", ["sum", "mean"])
    def test_order_of_rows_does_not_matter(self, reduction: Reduction) -> None:
        queries, items, batch = random_batch(1)
        assert batch.weights is not None
        order = torch.tensor([3, 0, 6, 1, 5, 2, 4])
        shuffled = Positives(batch.column[order], batch.counts, batch.weights[order], batch.log_q)
        torch.testing.assert_close(
            self.loss(queries[order], items, shuffled, reduction), self.loss(queries, items, batch, reduction)
        )

    @pytest.mark.parametrize("reduction", ["sum", "mean"])
    def test_order_of_items_does_not_matter(self, reduction: Reduction) -> None:
        queries, items, batch = random_batch(2)
        assert batch.log_q is not None
        assert batch.counts is not None
        order = torch.arange(len(items) - 1, -1, -1)
        turned = Positives(len(items) - 1 - batch.column, batch.counts[order], batch.weights, batch.log_q[order])
        torch.testing.assert_close(
            self.loss(queries, items[order], turned, reduction), self.loss(queries, items, batch, reduction)
        )

    @pytest.mark.parametrize("reduction", ["sum", "mean"])
    def test_row_of_weight_zero_counts_as_dropped_though_its_item_stays(self, reduction: Reduction) -> None:
        queries, items, batch = random_batch(3)
        assert batch.weights is not None
        kept = torch.tensor([0, 2, 3, 5, 6])
        weights = torch.zeros_like(batch.weights)
        weights[kept] = batch.weights[kept]
        masked = Positives(batch.column, batch.counts, weights, batch.log_q)
        dropped = Positives(batch.column[kept], batch.counts, batch.weights[kept], batch.log_q)
        torch.testing.assert_close(
            self.loss(queries, items, masked, reduction), self.loss(queries[kept], items, dropped, reduction)
        )

    def test_weights_of_one_are_no_weights(self) -> None:
        queries, items, batch = random_batch(4)
        ones = Positives(batch.column, batch.counts, torch.ones(len(queries)), batch.log_q)
        none = Positives(batch.column, batch.counts, None, batch.log_q)
        torch.testing.assert_close(
            self.loss(queries, items, ones, "mean"), self.loss(queries, items, none, "mean"), rtol=0, atol=0
        )

    def test_mean_does_not_change_when_all_weights_are_scaled(self) -> None:
        queries, items, batch = random_batch(5)
        assert batch.weights is not None
        scaled = Positives(batch.column, batch.counts, 1_000 * batch.weights, batch.log_q)
        torch.testing.assert_close(self.loss(queries, items, scaled, "mean"), self.loss(queries, items, batch, "mean"))

    def test_mean_and_its_gradients_do_not_change_with_the_number_of_rows(self) -> None:
        """Each row four times, against the same candidates: what a learning rate moves stays what it was."""
        queries, items, batch = random_batch(7)
        assert batch.weights is not None
        rows = torch.arange(len(queries)).repeat(4)
        larger = Positives(batch.column[rows], batch.counts, batch.weights[rows], batch.log_q)
        gradients = []
        for of_rows, positives in ((queries, batch), (queries[rows], larger)):
            vectors = of_rows.clone().requires_grad_(), items.clone().requires_grad_()
            by_queries, by_items = torch.autograd.grad(self.loss(*vectors, positives, "mean"), vectors)
            gradients.append((by_queries.reshape(-1, *queries.shape).sum(dim=0), by_items))  # [4, P, D] -> [P, D]
        torch.testing.assert_close(gradients[1], gradients[0])

    def test_sum_grows_with_the_scale_of_the_weights(self) -> None:
        queries, items, batch = random_batch(6)
        assert batch.weights is not None
        scaled = Positives(batch.column, batch.counts, 3 * batch.weights, batch.log_q)
        torch.testing.assert_close(
            self.loss(queries, items, scaled, "sum"), 3 * self.loss(queries, items, batch, "sum")
        )

    @pytest.mark.parametrize("tile", [1, 3, 1_024])
    @pytest.mark.parametrize("seed", range(4))
    def test_masked_items_never_count(self, seed: int, tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("shortlist.losses.tiles.MIN_ROWS", tile)
        monkeypatch.setattr("shortlist.losses.tiles.MAX_ROWS", tile)
        queries, items, batch = random_batch(seed, items=6)
        assert batch.weights is not None
        assert batch.counts is not None
        assert batch.log_q is not None
        masked = torch.from_numpy(np.random.default_rng(seed).random((len(queries), len(items))) < 0.4)
        masked[torch.arange(len(queries)), batch.column] = False
        row, column = masked.nonzero(as_tuple=True)
        whole = Positives(batch.column, batch.counts, batch.weights, batch.log_q, Pairs(row, column))
        vectors = queries.requires_grad_(), items.requires_grad_()
        value = self.loss(*vectors, whole, "sum")
        one_by_one = torch.zeros((), dtype=torch.float64)
        for place in range(len(queries)):
            kept = ~masked[place]
            alone = Positives(
                (kept.cumsum(0) - 1)[batch.column[place]].unsqueeze(0),
                batch.counts[kept],
                batch.weights[place : place + 1],
                batch.log_q[kept],
            )
            one_by_one = one_by_one + self.loss(queries[place : place + 1], items[kept], alone, "sum")
        torch.testing.assert_close(value, one_by_one)
        torch.testing.assert_close(torch.autograd.grad(value, vectors), torch.autograd.grad(one_by_one, vectors))

    def test_scores_of_masked_candidates_change_neither_loss_nor_gradients(self) -> None:
        """Row r alone has a 1 in dimension D + r, so that what an item has there moves that row's score alone."""

        @settings(deadline=None, max_examples=25)
        @given(seed=st.integers(0, 2**32), tile=st.sampled_from([1, 3, 1_024]), scale=st.sampled_from([1.0, 30.0]))
        def holds(seed: int, tile: int, scale: float) -> None:
            generator = np.random.default_rng(seed)
            queries, items, batch = random_batch(seed, items=6)
            drawn = random_pairs(generator, batch, 0.4)
            shown = as_pairs(random_pairs(generator, batch, 0.2, without=drawn))
            batch = dataclasses.replace(batch, masked=as_pairs(drawn), shown=shown)
            queries = torch.cat([queries, torch.eye(len(queries), dtype=queries.dtype)], dim=1)
            found = []
            for noise in (0.0, scale):
                moved = torch.from_numpy(noise * generator.normal(size=drawn.shape) * drawn).t()  # [P, U] -> [U, P]
                vectors = queries.clone().requires_grad_(), torch.cat([items, moved], dim=1).requires_grad_()
                value = self.in_tiles_of(tile, *vectors, batch)
                by_query, by_item = torch.autograd.grad(value, vectors)
                found.append((value.detach(), by_query[:, : items.shape[1]], by_item))
            torch.testing.assert_close(*found, rtol=1e-12, atol=1e-12)

        holds()

    def test_shown_items_are_candidates_of_their_row_alone_once_more(self) -> None:
        """With log-q as the shares of M candidates, what certainly stands there once has a share of 1 / M."""

        @settings(deadline=None, max_examples=25)
        @given(seed=st.integers(0, 2**32), tile=st.sampled_from([1, 3, 1_024]))
        def holds(seed: int, tile: int) -> None:
            generator = np.random.default_rng(seed)
            queries, items, batch = random_batch(seed, items=6)
            assert batch.counts is not None
            assert batch.weights is not None
            assert batch.log_q is not None
            drawn = random_pairs(generator, batch, 0.4)
            masked = as_pairs(random_pairs(generator, batch, 0.3, without=drawn))
            vectors = queries.requires_grad_(), items.requires_grad_()
            whole = dataclasses.replace(batch, masked=masked, shown=as_pairs(drawn))
            value = self.in_tiles_of(tile, *vectors, whole)
            one_by_one = torch.zeros((), dtype=torch.float64)
            for place in range(len(queries)):
                of_row = torch.from_numpy(np.flatnonzero(drawn[place]))
                taken_out = masked.column[masked.row == place]
                certain = torch.full((len(of_row),), -math.log(len(queries)), dtype=torch.float64)
                alone = Positives(
                    batch.column[place : place + 1],
                    torch.cat([batch.counts, torch.ones(len(of_row), dtype=torch.int64)]),
                    batch.weights[place : place + 1],
                    torch.cat([batch.log_q, certain]),
                    Pairs(torch.zeros_like(taken_out), taken_out),
                )
                extended = torch.cat([items, items[of_row]])
                one_by_one = one_by_one + self.loss(queries[place : place + 1], extended, alone, "sum")
            torch.testing.assert_close(value, one_by_one)
            torch.testing.assert_close(torch.autograd.grad(value, vectors), torch.autograd.grad(one_by_one, vectors))

        holds()

    def in_tiles_of(self, rows: int, queries: Tensor, items: Tensor, batch: Positives) -> Tensor:
        """The summed loss, made in tiles of so many rows."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("shortlist.losses.tiles.MIN_ROWS", rows)
            patch.setattr("shortlist.losses.tiles.MAX_ROWS", rows)
            return self.loss(queries, items, batch, "sum")

    def test_masking_and_showing_nothing_changes_nothing(self) -> None:
        queries, items, batch = random_batch(7)
        none = torch.empty(0, dtype=torch.int64)
        masked = dataclasses.replace(batch, masked=Pairs(none, none), shown=Pairs(none, none))
        assert torch.equal(self.loss(queries, items, masked, "sum"), self.loss(queries, items, batch, "sum"))
