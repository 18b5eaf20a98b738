"""What every loss over the batch's unique items must satisfy; a loss inherits the class and says how to call it."""

from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from shortlist.losses import Masked, Positives

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
        whole = Positives(batch.column, batch.counts, batch.weights, batch.log_q, Masked(row, column))
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

    def test_masking_nothing_changes_nothing(self) -> None:
        queries, items, batch = random_batch(7)
        none = torch.empty(0, dtype=torch.int64)
        masked = Positives(batch.column, batch.counts, batch.weights, batch.log_q, Masked(none, none))
        assert torch.equal(self.loss(queries, items, masked, "sum"), self.loss(queries, items, batch, "sum"))
