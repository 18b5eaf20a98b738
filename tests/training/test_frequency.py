import math

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.settings import SampledNegatives
from shortlist.training import Events, NegativeSampler, StreamingFrequency, Tables

Floats = npt.NDArray[np.float64]


def seen(frequency: StreamingFrequency, *batches: dict[int, int]) -> StreamingFrequency:
    for counts in batches:
        frequency.update(torch.tensor(list(counts), dtype=torch.int64), torch.tensor(list(counts.values())))
    return frequency


def per_batch(frequency: StreamingFrequency, *items: int) -> list[float]:
    return frequency.per_batch(torch.tensor(items)).tolist()


def test_waits_by_hand() -> None:
    # Item 0 stands there in steps 1, 2 and 4: waits 1, 1, 2. With a rate of 1/2 the average goes 1, 1, 1 + (2 − 1) / 2:
    # the plain mean would still weigh the third by a third, which is less. Item 1 comes in step 3: one wait of 3.
    frequency = StreamingFrequency(4, rate=0.5)
    seen(frequency, {0: 1}, {0: 1}, {1: 1}, {0: 1})
    assert per_batch(frequency, 0, 1) == pytest.approx([1 / 1.5, 1 / 3])


def test_the_first_waits_weigh_alike() -> None:
    # Waits 1, 3 and 5 of item 0, at a rate below 1/3: their mean.
    frequency = seen(StreamingFrequency(2, rate=0.1), {0: 1}, {1: 1}, {1: 1}, {0: 1}, *[{1: 1}] * 4, {0: 1})
    assert per_batch(frequency, 0) == pytest.approx([1 / 3])


def test_an_item_that_stands_there_n_times_has_waited_n_times_an_nth() -> None:
    # Twice in step 1, three times in step 2: five waits of 2 steps in all, 2.5 a batch.
    assert per_batch(seen(StreamingFrequency(2), {0: 2}, {0: 3}), 0) == pytest.approx([2.5])


def test_log_q_is_the_share_of_the_candidates() -> None:
    # 3 + 1 candidates in each of two steps, 3 of them item 0: 3/4 and 1/4; item 2 was never there.
    frequency = seen(StreamingFrequency(3), {0: 3, 1: 1}, {0: 3, 1: 1})
    assert frequency.log_q(torch.tensor([0, 1, 2])).tolist() == pytest.approx(
        [math.log(0.75), math.log(0.25), -math.inf]
    )


def test_items_that_stand_there_no_times_are_not_seen() -> None:
    frequency = StreamingFrequency(3)
    frequency.update(torch.tensor([0, 1, 0]), torch.tensor([2, 0, 0]))  # as a batch of fixed shape is filled up
    assert per_batch(frequency, 0, 1) == [2.0, 0.0]


def reference(batches: list[dict[int, int]], rate: float) -> dict[int, float]:
    """The same in plain Python, one item at a time."""
    last, wait, times = dict[int, int](), dict[int, float](), dict[int, int]()
    for step, counts in enumerate(batches, 1):
        for item, n in counts.items():
            times[item] = times.get(item, 0) + n
            share = max(1 - (1 - rate) ** n, n / times[item])
            wait[item] = (1 - share) * wait.get(item, 0.0) + share * (step - last.get(item, 0)) / n
            last[item] = step
    return {item: 1 / of_item for item, of_item in wait.items()}


@settings(deadline=None, max_examples=50)
@given(
    batches=st.lists(st.dictionaries(st.integers(0, 6), st.integers(1, 4), min_size=1), min_size=1, max_size=30),
    rate=st.sampled_from([0.01, 0.3, 1.0]),
)
def test_it_is_what_plain_python_makes_of_the_stream(batches: list[dict[int, int]], rate: float) -> None:
    expected = reference(batches, rate)
    frequency = seen(StreamingFrequency(7, rate=rate), *batches)
    assert per_batch(frequency, *expected) == pytest.approx(list(expected.values()))


def a_stream(share: Floats, steps: int, size: int, seed: int) -> list[dict[int, int]]:
    """Batches of `size` items drawn by these shares."""
    counts = np.random.default_rng(seed).multinomial(size, share, size=steps)
    return [{int(item): int(n) for item, n in zip(np.flatnonzero(row), row[row > 0], strict=True)} for row in counts]


SHARE = np.array([0.6, 0.2, 0.1, 0.06, 0.03, 0.01])


def test_in_a_stationary_world_it_is_near_the_exact_counts() -> None:
    """Waits are geometric at the most, so that their coefficient of variation is 1 or less, and an average of weights
    (1 − a)^k a has a relative deviation of √(a / (2 − a)): 7 % at a rate of 0.01, of which four are allowed."""
    frequency = seen(StreamingFrequency(6), *a_stream(SHARE, 2_000, 20, seed=0))
    np.testing.assert_allclose(per_batch(frequency, *range(6)), 20 * SHARE, rtol=4 * math.sqrt(0.01 / 1.99))
    np.testing.assert_allclose(frequency.log_q(torch.arange(6)).exp(), SHARE, rtol=4 * math.sqrt(0.01 / 1.99))


def test_over_many_items_it_has_hardly_a_bias() -> None:
    """The mean wait of 200 frequent and of 200 rare items, within 4 %: the rare ones have some 60 waits each, which
    deviate by 13 %, their mean by 0.9 %, and the wait that is not over yet is left out, 1 / 60 of the time."""
    share = np.repeat([1.5, 0.1], 200) / 320
    frequency = seen(StreamingFrequency(400), *a_stream(share, 600, 320, seed=0))
    waits = 1 / np.array(per_batch(frequency, *range(400)))
    assert waits[:200].mean() == pytest.approx(1 / 1.5, rel=0.04)
    assert waits[200:].mean() == pytest.approx(10, rel=0.04)


def test_in_a_world_that_drifts_it_follows_where_counts_do_not() -> None:
    before, after = SHARE, SHARE[::-1].copy()
    first, second = a_stream(before, 800, 20, seed=0), a_stream(after, 800, 20, seed=1)
    frequency = seen(StreamingFrequency(6), *first, *second)
    found = frequency.log_q(torch.arange(6)).exp().numpy()
    np.testing.assert_allclose(found, after, rtol=0.4)
    counted = np.zeros(6)
    for batch in (*first, *second):
        np.add.at(counted, list(batch), list(batch.values()))
    assert np.abs(np.log(found / after)).max() < 0.35 < 1.5 < np.abs(np.log(counted / counted.sum() / after)).max()


def test_several_arrays_take_the_longest_wait_and_so_undo_most_collisions() -> None:
    share = np.random.default_rng(0).dirichlet(np.full(200, 0.5))
    share = np.maximum(share, 1e-3) / np.maximum(share, 1e-3).sum()
    stream = a_stream(share, 500, 100, seed=1)
    errors = []
    for num_arrays in (1, 5):
        found = per_batch(seen(StreamingFrequency(128, num_arrays=num_arrays), *stream), *range(200))
        errors.append(np.log(np.array(found) / (100 * share)).mean())
    assert errors[0] > 0.5  # some share a place, and are taken for too frequent
    assert errors[1] < errors[0] / 2
    exact = per_batch(seen(StreamingFrequency(200, num_arrays=5), *stream), *range(200))
    alone = per_batch(seen(StreamingFrequency(200), *stream), *range(200))
    np.testing.assert_allclose(exact, alone, rtol=0.2)  # the first array has a place for each


def test_what_was_put_down_and_taken_up_goes_on_the_same() -> None:
    stream = a_stream(SHARE, 50, 20, seed=0)
    whole, cut, again = (StreamingFrequency(6, num_arrays=2) for _ in range(3))
    seen(whole, *stream)
    seen(cut, *stream[:30])
    again.restore({name: tensor.clone() for name, tensor in cut.state().items()})
    seen(again, *stream[30:])
    assert per_batch(again, *range(6)) == per_batch(whole, *range(6))


@pytest.mark.parametrize("negatives", [SampledNegatives(), SampledNegatives(uniform_negatives=8, popular_negatives=8)])
def test_over_the_batches_of_a_training_it_is_near_their_exact_log_q(negatives: SampledNegatives) -> None:
    generator = np.random.default_rng(0)
    items = np.minimum(generator.geometric(0.3, size=2_000) - 1, 11)
    clicks = {"user": generator.integers(20, size=2_000), "item": items}
    data = sl.Dataset(clicks, items={"item": np.arange(12)}, query_id="user", item_id="item")
    features = sl.fit_features([sl.Lookup("user")], [sl.Lookup("item")], on=data)
    sampler = NegativeSampler(torch.from_numpy(np.bincount(items, minlength=12)), negatives)
    events = Events(Tables(features, data), data, negatives=sampler)
    frequency, order = StreamingFrequency(12), torch.Generator().manual_seed(0)
    for _ in range(20):
        for batch in events.epoch(40, order, None):
            corrected = frequency.correct(batch).positives
            assert corrected.log_q is not None
            assert torch.equal(corrected.log_q, frequency.log_q(batch.item_rows))
    np.testing.assert_allclose(frequency.log_q(torch.arange(12)), events.log_q(40), atol=4 * math.sqrt(0.01 / 1.99))
