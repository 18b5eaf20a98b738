"""Splits that hold out whole items and whole users."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.data import ColdItems, HeldOutUsers
from shortlist.data.splits import split
from shortlist.errors import DataError

ITEMS = {"sku": list(range(20))}


def shop(seed: int = 0, num_users: int = 30, items: dict[str, list[int]] | None = ITEMS) -> sl.Dataset:
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 7, num_users)
    table = {
        "user": np.repeat(np.arange(num_users), lengths),
        "sku": generator.integers(0, 20, lengths.sum()),
        "when": generator.permutation(lengths.sum()),
    }
    return sl.Dataset(table, items=items, query_id="user", item_id="sku", time="when")


def events_of(*parts: sl.Dataset | None) -> list[tuple[object, ...]]:
    return sorted(row for part in parts if part is not None for row in part.interactions.rows())


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1000), st.sampled_from([0.0, 0.1, 0.2]), st.sampled_from([0.05, 0.2]))
def test_cold_items_have_all_their_events_on_one_side(seed: int, validation: float, test: float) -> None:
    data = shop(seed)
    cut = sl.split_cold_items(data, test=test, validation=validation, seed=seed)
    assert events_of(cut.train, cut.validation, cut.test) == events_of(data)
    of_part = [set(part.item_rows.tolist()) for part in (cut.train, cut.validation, cut.test) if part is not None]
    assert sum(map(len, of_part)) == len(set().union(*of_part)) == len(set(data.item_rows.tolist()))
    touched = len(set(data.item_rows.tolist()))
    assert len(of_part[-1]) == round(touched * test)
    if cut.validation is not None:
        assert len(of_part[1]) == round(touched * validation)
    assert all(part.num_items == 20 for part in (cut.train, cut.test))  # all stay candidates
    assert cut.known is None


@settings(deadline=None, max_examples=40)
@given(
    st.integers(0, 1000), st.sampled_from([0.0, 0.2]), st.sampled_from([0.1, 0.3]), st.sampled_from([0.1, 0.5, 0.9]),
    st.booleans(),
)  # fmt: skip
def test_held_out_users_are_known_first_and_asked_for_later(
    seed: int, validation: float, test: float, known: float, with_items: bool
) -> None:
    data = shop(seed, items=ITEMS if with_items else None)
    cut = sl.split_held_out_users(data, test=test, validation=validation, known=known, seed=seed)
    assert events_of(cut.train, cut.validation, cut.test, cut.known) == events_of(data)
    trained, asked = set(cut.train.user_rows.tolist()), set(cut.test.user_rows.tolist())
    checked = set() if cut.validation is None else set(cut.validation.user_rows.tolist())
    assert cut.known is not None
    assert set(cut.known.user_rows.tolist()) == asked | checked
    assert not trained & (asked | checked)
    assert not asked & checked
    several = int((np.bincount(data.user_rows) > 1).sum())
    assert (len(asked), len(checked)) == (round(several * test), round(several * validation))
    counts = np.bincount(data.user_rows)
    for user in asked | checked:
        history = cut.known.times[cut.known.user_rows == user]
        part = cut.test if user in asked else cut.validation
        assert part is not None
        later = part.times[part.user_rows == user]
        assert history.max() < later.min()
        assert len(history) == min(max(round(counts[user] * known), 1), counts[user] - 1)


def test_what_held_out_users_are_known_for_counts_as_seen() -> None:
    data = sl.Dataset(
        {"user": [1, 1, 1, 2, 2, 3], "sku": [7, 8, 9, 7, 8, 9], "when": [3, 1, 2, 1, 2, 1]},
        items={"sku": [7, 8, 9]}, query_id="user", item_id="sku", time="when",
    )  # fmt: skip
    cut = sl.split_held_out_users(data, test=0.5, known=0.5, seed=0)
    (user,) = set(cut.test.user_rows.tolist())
    assert cut.notes == ("1 users have one event and were not held out.",)
    expected = {0: [1, 2], 1: [0]}[user]  # of three events two are known, in order of time: 8, then 9
    assert cut.seen_before(cut.test).by_user(user).tolist() == expected
    train_only = cut.seen_before(cut.train)
    assert train_only.by_user(user).tolist() == expected


@pytest.mark.parametrize("how", [ColdItems(test=0.2, validation=0.1, seed=3), HeldOutUsers(validation=0.1, known=0.5)])
def test_a_choice_cuts_as_its_function_does_and_stands_in_a_file(how: ColdItems | HeldOutUsers) -> None:
    from shortlist.settings.experiment import SplitSettings

    cut = split(shop(), how)
    assert cut.choice == how
    section = SplitSettings.of(how)
    assert SplitSettings.model_validate(section.model_dump(exclude_none=True)).chosen == how
    assert cut.fingerprint == split(shop(), how).fingerprint
    assert cut.fingerprint != split(shop(1), how).fingerprint


def test_the_known_part_is_part_of_the_fingerprint() -> None:
    cuts = [sl.split_held_out_users(shop(), test=0.1, known=known) for known in (0.3, 0.9)]
    assert cuts[0].fingerprint != cuts[1].fingerprint


def test_what_cannot_be_held_out_is_said() -> None:
    with pytest.raises(DataError, match="A split by cold items needs a table of items, whose features find them"):
        sl.split_cold_items(shop(items=None))
    with pytest.raises(
        DataError, match=r"20 touched items cannot be cut into test=0\.01, validation=0\.0 and training"
    ):
        sl.split_cold_items(shop(), test=0.01)
    lonely = sl.Dataset({"user": [1, 2], "sku": [7, 8]}, query_id="user", item_id="sku")
    with pytest.raises(DataError, match=r"0 users of two events or more cannot be cut into test=0\.1"):
        sl.split_held_out_users(lonely)


def test_a_model_trains_and_is_measured_on_both() -> None:
    world = sl.synthetic.TasteWorld(num_groups=3, users_per_group=20, items_per_group=8, train_events=5, test_events=2)
    data = world.data()
    items = data.items.with_columns(kind=pl.Series([f"k{row % 3}" for row in range(data.num_items)]))
    data = sl.Dataset(data.interactions, items=items, query_id="user_id", item_id="item_id", time="time")
    for cut in (sl.split_cold_items(data, test=0.2, seed=1), sl.split_held_out_users(data, test=0.2, known=0.5)):
        features = sl.fit_features([sl.Lookup("user_id", width=8)], [sl.Lookup("kind", width=8)], on=cut.train)
        run = sl.train(
            sl.TwoTower(features, layers=[8]), cut, training=sl.Training(epochs=20, watch="nothing"),
            optimizer=sl.Adagrad(0.3), protocol=sl.Protocol(ks=(8,), collapse_gap=1.0), progress=False,
        )  # fmt: skip
        assessment = run.evaluate()
        names = [part.name for part in assessment.slices]
        assert ("new items" if cut.known is None else "new users") in names
        if cut.known is None:  # eight items of a kind tie, and hold all that a user likes
            assert assessment.model.value("top_8_accuracy") > 0.7  # one third by chance
