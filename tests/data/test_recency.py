import datetime as dt

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.data.recency import weights_by_recency
from shortlist.errors import SettingsError


def clicks(times: object, **columns: object) -> sl.Dataset:
    table = pl.DataFrame({"user": [1, 1, 2], "sku": [8, 7, 8], "at": times, **columns})
    weight = "weight" if columns else None
    return sl.Dataset(table, query_id="user", item_id="sku", time="at", weight=weight)


def test_weights_are_multiplied() -> None:
    data = clicks([0, 10, 20], weight=[4.0, 3.0, 0.5])
    assert weights_by_recency(data, half_life=10.0).tolist() == [1.0, 1.5, 0.5]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_half_lives_are_seconds_whatever_times_count_in(unit: str) -> None:
    day = dt.datetime(2026, 1, 1)
    times = pl.Series([day, day + dt.timedelta(hours=1), day + dt.timedelta(hours=2)]).cast(pl.Datetime(unit))  # type: ignore[arg-type]
    assert weights_by_recency(clicks(times), half_life=3_600.0).tolist() == [0.25, 0.5, 1.0]


def test_days_have_seconds_too() -> None:
    times = [dt.date(2026, 1, 1), dt.date(2026, 1, 3), dt.date(2026, 1, 2)]
    assert weights_by_recency(clicks(times), half_life=86_400.0).tolist() == [0.25, 1.0, 0.5]


def test_without_times_there_is_no_recency() -> None:
    data = sl.Dataset({"user": [1], "sku": [8]}, query_id="user", item_id="sku")
    with pytest.raises(SettingsError, match="no column has the role time"):
        weights_by_recency(data, half_life=1.0)


def test_a_model_trained_with_a_half_life_follows_the_latest_events() -> None:
    # Everybody touched the items 0 to 9 long ago and 10 to 19 of late; no user is known at the test but by being new.
    users, times = np.repeat(np.arange(40), 2), np.tile([0, 1_000], 40)
    items = np.concatenate([[user % 10, 10 + user % 10] for user in range(40)])
    test = {"user": np.arange(100, 104), "sku": [10, 11, 12, 13], "at": [1_001] * 4}
    events = pl.concat([pl.DataFrame({"user": users, "sku": items, "at": times}), pl.DataFrame(test)])
    data = sl.Dataset(events, query_id="user", item_id="sku", time="at")
    split = sl.split_by_time(data, test=4 / 84)
    features = sl.fit_features([sl.Lookup("user", width=4, dropout=0.9)], [sl.Lookup("sku", width=8)], on=split.train)
    found = {}
    for half_life in (None, 100.0):
        run = sl.train(
            sl.TwoTower(features, layers=[8], item_bias=True),
            split,
            loss=sl.FullSoftmax(),
            optimizer=sl.AdamW(0.05),
            training=sl.Training(epochs=20, batch_size=20, watch="nothing", half_life=half_life),
            protocol=sl.Protocol(ks=(10,), baselines=("popularity",)),
            progress=False,
        )
        ids = split.train.items["sku"].to_numpy()
        bias = run.item_vectors()[:, -1]
        found[half_life] = bias[ids >= 10].mean() - bias[ids < 10].mean()
    assert abs(found[None]) < 0.5
    assert found[100.0] > 2.0


def test_no_weight_becomes_nothing_however_old_the_event() -> None:
    clicks = {"user": [1, 1, 2], "sku": [8, 7, 8], "at": [0, 10, 10_000_000]}
    weights = weights_by_recency(sl.Dataset(clicks, query_id="user", item_id="sku", time="at"), half_life=1.0)
    assert weights.tolist() == [2.0**-64, 2.0**-64, 1.0]
