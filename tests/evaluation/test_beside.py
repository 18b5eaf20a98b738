"""The baselines beside a model: searched, shared, missing with a reason; and slices by any column."""

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.baselines import BASELINES
from shortlist.errors import DataError, DivergedError
from shortlist.evaluation import Beside, Targets, VectorScores, assess, evaluate_baselines

WORLD = sl.synthetic.TasteWorld(num_groups=3, users_per_group=15, items_per_group=10, train_events=6, test_events=2)


def evaluated(protocol: sl.Protocol, data: sl.Dataset | None = None) -> Beside:
    split = sl.split_by_time(WORLD.data() if data is None else data, test=0.25)
    return evaluate_baselines(split, Targets.of(split.test), protocol, split.seen_before(split.test))


def test_a_search_keeps_the_settings_that_validation_liked_best() -> None:
    split = sl.split_by_time(WORLD.data(), test=0.25, validation=0.25)
    assert split.validation is not None
    protocol = sl.Protocol(ks=(5,), baselines=("ease", "popularity"), search_baselines=True)
    targets, seen = Targets.of(split.test), split.seen_before(split.test)
    beside = evaluate_baselines(split, targets, protocol, seen)
    values = {}
    for settings in BASELINES["ease"].grid:
        fixed = evaluate_baselines(
            split, Targets.of(split.validation), protocol, split.seen_before(split.validation),
            {"ease": dict(settings)},
        )  # fmt: skip
        values[settings["penalty"]] = fixed.baselines["ease"].value("top_5_accuracy")
    assert beside.settings == {"ease": {"penalty": max(values, key=lambda penalty: values[penalty])}}
    again = evaluate_baselines(split, targets, protocol, seen, beside.settings)
    assert again.baselines["ease"].metrics == beside.baselines["ease"].metrics


def test_where_no_search_is_possible_the_default_stands_and_the_reason_is_said() -> None:
    # Nine events of ten at one moment: the training events leave no further cut.
    times = [0] * 40 + [1] * 4
    data = sl.Dataset(
        {"u": [n % 11 for n in range(44)], "i": [n % 7 for n in range(44)], "t": times},
        query_id="u", item_id="i", time="t",
    )  # fmt: skip
    split = sl.split_by_time(data, test=4 / 44)
    protocol = sl.Protocol(ks=(2,), baselines=("item_knn",), search_baselines=True)
    beside = evaluate_baselines(split, Targets.of(split.test), protocol, split.seen_before(split.test))
    assert list(beside.baselines) == ["item_knn"]
    assert beside.settings == {}
    assert "The times leave no cut with test=0.1" in beside.not_searched["item_knn"]


@pytest.mark.parametrize(("error", "says"), [(DivergedError("it diverged."), "it diverged"), (MemoryError(), "memory")])
def test_a_baseline_that_fails_is_named_and_the_others_stand(
    error: Exception, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    object.__setattr__(BASELINES["ease"], "fit", fail)
    try:
        beside = evaluated(sl.Protocol(ks=(5,), baselines=("popularity", "ease")))
    finally:
        from shortlist.baselines import fit_ease

        object.__setattr__(BASELINES["ease"], "fit", fit_ease)
    assert list(beside.baselines) == ["popularity"]
    assert says in beside.not_computed["ease"]


def test_where_nothing_can_be_computed_that_is_an_error() -> None:
    data = sl.Dataset(WORLD.data().interactions.drop("time"), query_id="user_id", item_id="item_id")
    split = sl.split_random(data, test=0.2)
    protocol = sl.Protocol(baselines=("recent_popularity",))
    with pytest.raises(DataError, match=r"No baseline could be computed \(recent_popularity: needs times"):
        evaluate_baselines(split, Targets.of(split.test), protocol, split.seen_before(split.test))


def test_slices_of_any_column_come_from_items_users_and_events() -> None:
    data = WORLD.data()
    items = data.items.with_columns(kind=pl.Series([f"k{row % 3}" for row in range(data.num_items)]))
    users = data.users.with_columns(city=pl.Series([f"c{row % 2}" for row in range(data.num_users)]))
    events = data.interactions.with_columns(page=pl.Series([row % 2 == 0 for row in range(data.num_events)]))
    whole = sl.Dataset(events, items=items, users=users, query_id="user_id", item_id="item_id", time="time")
    split = sl.split_by_time(whole, test=0.25)
    targets = Targets.of(split.test, one_query=False)
    vectors = np.eye(data.num_items, dtype=np.float32)

    def judged(*columns: str) -> list[str]:
        assessment = assess(
            VectorScores(lambda rows: vectors[targets.item_rows[rows]][:, None], vectors),
            data=split.test, split=split, targets=targets, seen=split.seen_before(split.test),
            protocol=sl.Protocol(ks=(5,), baselines=("popularity",), slices=columns),
        )  # fmt: skip
        return [part.name for part in assessment.slices if part.group in columns]

    assert judged("kind", "city", "page") == [
        "kind = k0", "kind = k1", "kind = k2", "city = c0", "city = c1", "page = false", "page = true",
    ] or sorted(judged("kind", "city", "page")) == [
        "city = c0", "city = c1", "kind = k0", "kind = k1", "kind = k2", "page = false", "page = true",
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"A slice wants column 'colour', but the tables have 'item_id', 'kind'"):
        judged("colour")
