import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from shortlist.features import Categories, RowLists
from shortlist.features.history import FittedHistory, History, Pooling
from shortlist.features.lists import FIRST_ROW, ListPooling
from shortlist.models import Columns, EmbeddingTable, PooledHistory
from shortlist.models.embeddings import PooledLists, SharedVectors

POOLINGS: list[Pooling] = ["mean", "sqrt", "recency", "attention"]


def fitted(choice: History, num_rows: int) -> FittedHistory:
    return choice.fit(pl.Series([str(n) for n in range(num_rows - FIRST_ROW)]))


def pooled(
    pooling: Pooling, *, dropout: float = 0.0, forget: float = 0.0, half_life: float = 1.0, num_rows: int = 5
) -> PooledHistory:
    """A table whose row n holds (n, 1); its scores, where it has any, are the logs of 1, 1, 1, 3, 1."""
    choice = History("x", width=2, dropout=dropout, pooling=pooling, half_life=half_life, forget=forget)
    module = PooledHistory(fitted(choice, num_rows))
    assert module.table is not None
    with torch.no_grad():
        module.table.weight.copy_(torch.stack([torch.arange(num_rows), torch.ones(num_rows)], dim=1))
        if module.scores is not None:
            module.scores.zero_()
            module.scores[3] = torch.tensor(3.0).log()
    return module


def both_forms(lists: list[list[int]]) -> tuple[object, Tensor]:
    lengths = np.array([len(rows) for rows in lists])
    encoded = RowLists.of_lengths(np.array([row for rows in lists for row in rows], np.int32), lengths)
    return Columns({"x": encoded}).take(torch.arange(len(lists)))["x"], torch.from_numpy(encoded.padded())


# The history 2, 3, 4, the latest being 4. Recency, half-life 1: (2 · 1/4 + 3 · 1/2 + 4) / (7/4). Attention weighs row 3
# three times as much as the others: (2 + 3 · 3 + 4) / 5.
@pytest.mark.parametrize(
    ("pooling", "expected", "ones"),
    [("mean", 3.0, 1.0), ("sqrt", 9 / 3**0.5, 3**0.5), ("recency", 24 / 7, 1.0), ("attention", 3.0, 1.0)],
)
def test_a_history_worked_by_hand(pooling: Pooling, expected: float, ones: float) -> None:
    bag, padded = both_forms([[2, 3, 4], [], [3]])
    for form in (bag, padded):
        vectors = pooled(pooling).eval()(form)
        torch.testing.assert_close(vectors, torch.tensor([[expected, ones], [0.0, 0.0], [3.0, 1.0]]))


@settings(deadline=None, max_examples=30)
@given(data=st.data(), pooling=st.sampled_from(POOLINGS))
def test_both_forms_give_the_same_vectors_and_gradients(data: st.DataObject, pooling: Pooling) -> None:
    lists = data.draw(st.lists(st.lists(st.integers(2, 8), max_size=5), min_size=1, max_size=6))
    module = PooledHistory(fitted(History("x", width=3, pooling=pooling, half_life=2.5), 9))
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(1))
    found = []
    for form in both_forms(lists):
        module.zero_grad()
        vectors = module(form)
        (vectors * torch.arange(1.0, 4.0)).sum().backward()
        found.append([vectors.detach(), *(p.grad.clone() for p in module.parameters() if p.grad is not None)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_attention_takes_scores_of_any_size(scale: float) -> None:
    module = pooled("attention")
    assert module.scores is not None
    with torch.no_grad():
        module.scores.copy_(scale * torch.tensor([0.0, 0.0, -1.0, 1.0, -1.0]))
    for form in both_forms([[2, 3, 4]]):
        vectors = module(form)
        share = torch.softmax(scale * torch.tensor([-1.0, 1.0, -1.0]), 0) @ torch.tensor([2.0, 3.0, 4.0])
        torch.testing.assert_close(vectors, torch.stack([share, torch.tensor(1.0)]).unsqueeze(0))


@pytest.mark.parametrize("pooling", POOLINGS)
def test_dropout_leaves_items_out_in_training_alone(pooling: Pooling) -> None:
    lists = [[2, 3, 4]] * 4_000
    module = pooled(pooling, dropout=0.5, half_life=1e9)
    for form in both_forms(lists):
        torch.manual_seed(0)
        vectors = module.train()(form)
        empty = (vectors[:, 1] == 0).double().mean().item()
        assert empty == pytest.approx(1 / 8, abs=0.02)  # all three are left out
        assert len(vectors.unique(dim=0)) > 3
        assert len(module.eval()(form).unique(dim=0)) == 1


@pytest.mark.parametrize("pooling", POOLINGS)
def test_whole_histories_are_forgotten_in_training_alone(pooling: Pooling) -> None:
    module = pooled(pooling, forget=0.25)
    for form in both_forms([[2, 3, 4]] * 4_000):
        torch.manual_seed(0)
        vectors = module.train()(form)
        assert (vectors[:, 1] == 0).double().mean().item() == pytest.approx(0.25, abs=0.02)
        assert len(vectors.unique(dim=0)) == 2  # all of it or nothing
        assert len(module.eval()(form).unique(dim=0)) == 1


def test_recency_goes_by_the_whole_history_whatever_is_dropped() -> None:
    module = pooled("recency", dropout=0.5, half_life=1.0).train()
    for form in both_forms([[2, 4]] * 500):
        torch.manual_seed(0)
        kept = {tuple(round(x, 4) for x in row) for row in module(form).tolist()}
        assert kept == {(0.0, 0.0), (2.0, 1.0), (4.0, 1.0), (round(10 / 3, 4), 1.0)}


def test_dropped_ids_look_at_the_unknown_row() -> None:
    table = EmbeddingTable(3, 1, dropout=0.25)
    with torch.no_grad():
        table.weight.copy_(torch.tensor([[7.0], [1.0], [2.0]]))
    rows = torch.tensor([1, 2] * 4_000)
    torch.manual_seed(0)
    dropped = (table.train()(rows)[:, 0] == 7).double().mean().item()
    assert dropped == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(table.eval()(rows)[:, 0], rows.float())


def test_a_shared_history_pools_the_vectors_it_is_given() -> None:
    module = PooledHistory(History("x", pooling="mean", shared=True).fit(pl.Series(["a", "b", "c"]), 2)).eval()
    vectors = torch.tensor([[1.0, 5.0], [3.0, 7.0]], requires_grad=True)  # of the rows 2 and 3
    for form in both_forms([[2, 3], [], [3]]):
        torch.testing.assert_close(
            module(form, SharedVectors(vectors)), torch.tensor([[2.0, 6.0], [0.0, 0.0], [3.0, 7.0]])
        )
        (gradient,) = torch.autograd.grad(module(form, SharedVectors(vectors)).sum(), vectors)
        torch.testing.assert_close(gradient, torch.tensor([[0.5, 0.5], [1.5, 1.5]]))
    with pytest.raises(ValueError, match="needs the vectors of the items"):
        module(both_forms([[2]])[1])


def lists_of(*, pooling: ListPooling, rarity: float = 0.0, dropout: float = 0.0) -> PooledLists:
    """Of "a", in all of four values, "b", in two, and "c", in one: rows 2, 3 and 4, whose vectors are (row, 1)."""
    choice = Categories("x", width=2, pooling=pooling, rarity=rarity, dropout=dropout)
    module = PooledLists(choice.fit(pl.Series([["a", "b"], ["a", "b", "c", "c"], ["a"], ["a"]])))
    with torch.no_grad():
        module.weight.copy_(torch.stack([torch.arange(5), torch.ones(5)], dim=1))
    return module


# "a" weighs log(4 / 4) = 0, "b" log(4 / 2), "c" log(4 / 1), twice as much; unknown texts, in row 1, nothing.
@pytest.mark.parametrize(
    ("pooling", "rarity", "expected"),
    [
        ("mean", 0.0, [3.0, 1.0]),
        ("sqrt", 0.0, [9 / 3**0.5, 3**0.5]),
        ("mean", 1.0, [(3 + 2 * 4) / 3, 1.0]),
        ("sqrt", 1.0, [(3 + 2 * 4) / 5**0.5, 3 / 5**0.5]),
        ("sqrt", 2.0, [(3 + 4 * 4) / 17**0.5, 5 / 17**0.5]),
    ],
)
def test_lists_are_pooled_by_rarity(pooling: ListPooling, rarity: float, expected: list[float]) -> None:
    module = lists_of(pooling=pooling, rarity=rarity)
    unknown = [0.0, 0.0] if rarity else [1.0, 1.0]
    for form in both_forms([[2, 3, 4], [], [1]]):
        torch.testing.assert_close(module(form), torch.tensor([expected, [0.0, 0.0], unknown]))


@pytest.mark.parametrize("rarity", [0.0, 1.0])
def test_tokens_are_dropped_in_training_alone(rarity: float) -> None:
    module = lists_of(pooling="mean", rarity=rarity, dropout=0.5)
    for form in both_forms([[3, 4]] * 4_000):
        torch.manual_seed(0)
        vectors = module.train()(form)
        assert (vectors[:, 1] == 0).double().mean().item() == pytest.approx(0.25, abs=0.03)
        assert len(vectors.unique(dim=0)) == 4
        assert len(module.eval()(form).unique(dim=0)) == 1
