import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import shortlist as sl
from shortlist.data.seen import Seen
from shortlist.losses import Positives, in_batch_softmax
from shortlist.settings import SampledNegatives
from shortlist.training import Batch, Events, ItemMemory, KnownPositives, NegativeSampler, Tables

MIXED = SampledNegatives(uniform_negatives=5, popular_negatives=4)


def a_batch(
    rows: list[int], counts: list[int], own: list[int], log_q: list[float] | None = None, **fields: Any
) -> Batch:
    """A batch of these items, with the places of its events' own ones."""
    positives = Positives(
        torch.tensor(own), torch.tensor(counts), log_q=None if log_q is None else torch.tensor(log_q), **fields
    )
    return Batch({}, {}, positives, torch.arange(len(own)), torch.tensor(rows))


def vectors(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).unsqueeze(1)


def test_batches_join_by_hand() -> None:
    memory = ItemMemory(2)
    first, second = a_batch([3, 5, 7], [1, 2, 1], [0, 1]), a_batch([5, 8], [1, 1], [0, 1])
    now = a_batch([2, 3], [1, 3], [1, 0, 1])
    assert memory.join(first, vectors(1, 2, 3))[0].tolist() == [[1], [2], [3]]  # nothing is remembered yet
    memory.add(first, vectors(1, 2, 3))
    memory.add(second, vectors(20, 30))
    joined, positives = memory.join(now, vectors(400, 500))
    # 3 keeps today's vector, 5 that of the second batch; the counts of all three batches add up.
    assert positives.counts is not None
    assert dict(zip(joined.squeeze(1).tolist(), positives.counts.tolist(), strict=True)) == {
        400: 1, 500: 3 + 1, 20: 1 + 2, 30: 1, 3: 1,
    }  # fmt: skip
    assert positives.column.tolist() == [1, 0, 1]


def test_the_oldest_batch_is_forgotten() -> None:
    memory = ItemMemory(2)
    for age in range(4):
        memory.add(a_batch([age], [1], [0]), vectors(float(age)))
    joined, _ = memory.join(a_batch([9], [1], [0]), vectors(9))
    assert joined.squeeze(1).tolist() == [9, 3, 2]


def test_remembered_vectors_get_no_gradient_and_stay_as_they_were() -> None:
    memory, old = ItemMemory(1), vectors(1, 2).requires_grad_()
    memory.add(a_batch([0, 1], [1, 1], [0]), old * 2)
    now = vectors(3).requires_grad_()
    joined, _ = memory.join(a_batch([5], [1], [0]), now)
    with torch.no_grad():
        old.zero_()
    assert joined.squeeze(1).tolist() == [3, 2, 4]
    (by_now,) = torch.autograd.grad(joined.sum(), now)
    assert by_now.tolist() == [[1]]


def test_what_stands_there_no_times_is_not_remembered_but_comes_alive_where_the_memory_has_it() -> None:
    # Items of count 0 fill up a batch (2, a second time) or were shown only (8, which the memory holds twice).
    memory = ItemMemory(1)
    memory.add(a_batch([8, 9, 4], [2, 1, 0], [0]), vectors(8, 9, 4))
    joined, positives = memory.join(a_batch([2, 8, 2], [3, 0, 0], [0]), vectors(20, 80, 20))
    assert joined.squeeze(1).tolist() == [20, 80, 20, 9]
    assert positives.counts is not None
    assert positives.counts.tolist() == [3, 2, 0, 1]


def test_log_q_comes_with_the_items() -> None:
    memory = ItemMemory(2)
    memory.add(a_batch([3, 5], [1, 1], [0], log_q=[-3.0, -5.0]), vectors(3, 5))
    _, positives = memory.join(a_batch([2, 3], [1, 1], [0], log_q=[-2.0, -3.5]), vectors(2, 3))
    assert positives.log_q is not None
    assert positives.log_q.tolist() == [-2.0, -3.5, -5.0]


def shop(num_users: int = 20) -> sl.Dataset:
    generator = np.random.default_rng(0)
    items = np.minimum(generator.geometric(0.3, size=600) - 1, 11)
    clicks = {"user": generator.integers(num_users, size=600), "item": items}
    return sl.Dataset(clicks, items={"item": np.arange(12)}, query_id="user", item_id="item")


def shop_events(*, known: bool = False, fixed_shapes: bool = False) -> Events:
    data = shop()
    features = sl.fit_features([sl.Lookup("user")], [sl.Lookup("item")], on=data)
    counts = torch.from_numpy(np.bincount(data.item_rows, minlength=12))
    return Events(
        Tables(features, data, fixed_shapes=fixed_shapes),
        data,
        negatives=NegativeSampler(counts, MIXED),
        known=KnownPositives(Seen.of(data), 12) if known else None,
    )


@pytest.mark.parametrize("num_batches", [1, 3])
def test_log_q_of_one_batch_makes_the_sum_over_batch_and_memory_unbiased(num_batches: int) -> None:
    """In expectation Σ_u n_u exp(s_u) / (M q_u) is Σ_j exp(s_j), n and M counted over the batch and the memory."""
    events, generator = shop_events(), torch.Generator().manual_seed(0)
    scores = torch.linspace(-1.5, 1.5, 12, dtype=torch.float64)
    log_q, memory, estimates = events.log_q(20), ItemMemory(num_batches), []
    for _ in range(60):
        for batch in events.epoch(20, generator, log_q):
            of_batch = scores[batch.item_rows].unsqueeze(1)
            joined, positives = memory.join(batch, of_batch)
            memory.add(batch, of_batch)
            assert positives.counts is not None
            assert positives.log_q is not None
            terms = positives.counts * (joined.squeeze(1) - positives.log_q.double()).exp()
            estimates.append(float(terms.sum() / positives.counts.sum()))
    assert np.mean(estimates) == pytest.approx(float(scores.exp().sum()), rel=0.01)
    assert np.mean(estimates[:num_batches]) == pytest.approx(float(scores.exp().sum()), rel=0.5)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), num_batches=st.integers(1, 4), fixed=st.booleans())
def test_memory_is_what_plain_python_makes_of_the_batches_before(seed: int, num_batches: int, fixed: bool) -> None:
    events, memory = shop_events(known=True, fixed_shapes=fixed), ItemMemory(num_batches)
    memory = ItemMemory(num_batches, events.known)
    touched, before = Seen.of(shop()), list[dict[int, int]]()
    for step, batch in enumerate(events.epoch(40, torch.Generator().manual_seed(seed), None)):
        marks = 1_000.0 * step + batch.item_rows.unsqueeze(1)  # says of each vector which item it is of, and of when
        joined, positives = memory.join(batch, marks)
        memory.add(batch, marks)
        assert batch.positives.counts is not None
        assert positives.counts is not None
        now = {
            item: count
            for item, count in zip(batch.item_rows.tolist(), batch.positives.counts.tolist(), strict=True)
            if count
        }
        times, newest = dict(now), dict.fromkeys(now, step)
        for age, older in enumerate(reversed(before[-num_batches:]), 1):
            for item, count in older.items():
                times[item] = times.get(item, 0) + count
                newest.setdefault(item, step - age)
        stand = positives.counts > 0
        found = joined[stand].squeeze(1)
        assert len(found) == len(times)
        assert {int(mark) % 1_000: int(mark) // 1_000 for mark in found.tolist()} == newest
        assert {
            int(m) % 1_000: n for m, n in zip(found.tolist(), positives.counts[stand].tolist(), strict=True)
        } == times
        assert positives.masked is not None
        assert bool((positives.masked.row.diff() >= 0).all())
        masked = {
            (row, int(joined[column]) % 1_000)
            for row, column in zip(positives.masked.row.tolist(), positives.masked.column.tolist(), strict=True)
        }
        own = batch.item_rows[positives.column].tolist()
        assert masked == {
            (row, item)
            for row, user in enumerate(batch.user_rows.tolist())
            for item in times
            if item in touched.by_user(user) and item != own[row]
        }
        before.append(now)


def test_a_memory_that_was_put_down_and_taken_up_is_the_same() -> None:
    events, memory = shop_events(), ItemMemory(3)
    batches = list(events.epoch(40, torch.Generator(), events.log_q(40)))
    for batch in batches[:5]:
        memory.add(batch, torch.randn(len(batch.item_rows), 4).bfloat16())
    again = ItemMemory(3)
    again.restore({name: tensor.clone() for name, tensor in memory.state().items()})
    items = torch.randn(len(batches[5].item_rows), 4).bfloat16()
    (first, one), (second, other) = memory.join(batches[5], items), again.join(batches[5], items)
    assert torch.equal(first, second)
    assert str(one) == str(other)
    assert ItemMemory(3).state() == {}


def test_the_loss_over_a_memory_by_hand() -> None:
    # Today a (odds 2) and b (odds 4, own); remembered a once, c (odds 3) twice: (1 + 1) · 2 + 4 + 2 · 3 = 14.
    memory = ItemMemory(1)
    memory.add(a_batch([0, 2], [1, 2], [0]), torch.log(vectors(9, 3)))
    joined, positives = memory.join(a_batch([0, 1], [1, 1], [1]), torch.log(vectors(2, 4)))
    assert in_batch_softmax(torch.ones(1, 1), joined, positives).item() == pytest.approx(math.log(14 / 4))
