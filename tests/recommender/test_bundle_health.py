"""A bundle's health: its users asked through its own tower."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import shortlist as sl
from shortlist.bundle import Bundle


@pytest.fixture(scope="module")
def bundle(shop_bundle: Path) -> Bundle:
    return sl.load_bundle(shop_bundle)


def test_the_lists_are_those_that_the_recommender_gives(bundle: Bundle) -> None:
    figures = sl.bundle_health(bundle).figures
    recommender = sl.Recommender(bundle)
    table = recommender.recommend_table(bundle.users.select("user_id"), 10, exclude_seen=False)
    times = table["item_id"].value_counts()["count"]
    assert figures["queries"] == 60
    assert figures["most_shown"] == pytest.approx(float(times.max()) / 60)  # type: ignore[arg-type]
    assert figures["never_shown"] == pytest.approx(1 - len(times) / 24)
    assert (figures["items"], figures["width"]) == (24, 8)  # the bias is the ninth


def test_only_users_whom_training_knows_are_asked(bundle: Bundle) -> None:
    events = bundle.user_events.copy()
    events[:20] = 0
    assert sl.bundle_health(dataclasses.replace(bundle, user_events=events)).figures["queries"] == 40


def test_examples_name_items_by_label_and_id(bundle: Bundle) -> None:
    vectors = bundle.item_vectors.copy()
    vectors[3] = vectors[2]
    found = sl.bundle_health(dataclasses.replace(bundle, item_vectors=vectors)).findings
    assert "such as 'Thing 2 of group2 [2]', 'Thing 3 of group0 [3]'" in found[0].says


def test_items_that_training_never_touched_have_the_vector_of_an_unknown_one(
    shop_split: sl.Split, tmp_path: Path
) -> None:
    keep = np.flatnonzero(shop_split.train.item_rows >= 4)
    split = dataclasses.replace(shop_split, train=shop_split.train.take(keep))
    features = sl.fit_features([sl.Lookup("user_id", width=4)], [sl.Lookup("item_id", width=4)], on=split.train)
    run = sl.train(
        sl.TwoTower(features, layers=[4]), split, training=sl.Training(epochs=1, watch="nothing"), progress=False
    )
    bundle = sl.load_bundle(run.save(tmp_path / "b"))
    health = sl.bundle_health(bundle)
    assert health.figures["unknown_vectors"] == 4
    (says,) = [f.says for f in health.findings if f.name == "unknown-vectors"]
    assert says.startswith("4 of 24 items (17 %)")


def test_a_feature_that_takes_no_missing_values_leaves_unknown_vectors_unknown(
    shop_split: sl.Split, tmp_path: Path
) -> None:
    features = sl.fit_features(
        [sl.Lookup("user_id", width=4)], [sl.Lookup("item_id", width=4, missing="error")], on=shop_split.train
    )
    run = sl.train(
        sl.TwoTower(features, layers=[4]), shop_split, training=sl.Training(epochs=1, watch="nothing"), progress=False
    )
    bundle = sl.load_bundle(run.save(tmp_path / "b"))
    assert sl.bundle_health(bundle).figures["unknown_vectors"] is None
