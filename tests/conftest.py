"""What several tests share: one small world, trained and saved once a session."""

import functools
import gc
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import shortlist as sl
from shortlist.data.splits import Split


def pytest_collection_finish() -> None:
    """What the libraries hold lives as long as the process: a full collection need not walk it each time.

    A search collects after every trial, which took a second and more where the cores were shared, and Python by itself.
    """
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """So that the libraries can clear up what is theirs, and do not report it as leaked."""
    gc.unfreeze()


@pytest.fixture(scope="session", autouse=True)
def one_registry_of_operators() -> Iterator[None]:
    """torch lists the operators that ONNX knows anew at each export: 1.6 of the 2.3 s that two small towers take."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry  # private: only the tests lean on it

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", staticmethod(functools.cache(ONNXRegistry.from_torchlib)))
        yield


@pytest.fixture(scope="session")
def shop_data() -> sl.Dataset:
    """Sixty users in three groups who buy within their group, with columns of every kind of feature."""
    world = sl.synthetic.TasteWorld(num_groups=3, users_per_group=20, items_per_group=8, train_events=4, test_events=2)
    data = world.data()
    items = data.items.with_columns(
        title=pl.Series([f"Thing {row} of group{row % 3}" for row in range(data.num_items)]),
        tags=pl.Series([["a", "b"] if row % 2 else [] for row in range(data.num_items)]),
        price=pl.Series([None if row == 5 else float(row) for row in range(data.num_items)]),
    )
    users = data.users.with_columns(
        age=pl.Series([20 + row % 50 for row in range(data.num_users)]),
        city=pl.Series([None if row % 7 == 0 else f"city{row % 4}" for row in range(data.num_users)]),
    )
    return sl.Dataset(
        data.interactions,
        items=items,
        users=users,
        query_id="user_id",
        item_id="item_id",
        label="title",
        time="time",
    )


@pytest.fixture(scope="session")
def shop_split(shop_data: sl.Dataset) -> Split:
    return sl.split_by_time(shop_data, test=1 / 3)


@pytest.fixture(scope="session")
def shop_run(shop_split: Split) -> sl.Run:
    features = sl.fit_features(
        [
            sl.Lookup("user_id", width=8),
            sl.Bucketize("age", boundaries=5, width=4),
            sl.Hash("city", num_rows=16, width=4),
            sl.Normalize("time"),
        ],
        [
            sl.Lookup("item_id", width=8),
            sl.Text("title", width=8),
            sl.Categories("tags", width=4),
            sl.Normalize("price"),
        ],
        on=shop_split.train,
    )
    return sl.train(
        sl.TwoTower(features, layers=[16, 8], item_bias=True),
        shop_split,
        loss=sl.InBatchSoftmax(log_q=True),
        optimizer=sl.Adagrad(0.3),
        training=sl.Training(epochs=15, batch_size=64, watch="nothing", seed=3),
        protocol=sl.Protocol(ks=(1, 5)),
        progress=False,
    )


@pytest.fixture(scope="session")
def shop_bundle(shop_run: sl.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop_run.save(tmp_path_factory.mktemp("shop") / "bundle", shop_run.evaluate())
