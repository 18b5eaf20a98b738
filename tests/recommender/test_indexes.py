"""Indexes of a bundle: tuned, saved with it, and never more or less than the rules allow."""

import dataclasses
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import shortlist as sl
from shortlist.bundle import Bundle, SavedIndex
from shortlist.errors import BundleError, SettingsError


@pytest.fixture(scope="module")
def shop(shop_bundle: Path) -> Bundle:
    return sl.load_bundle(shop_bundle)


@pytest.fixture(scope="module")
def tuned(shop: Bundle, shop_data: sl.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    made = sl.with_tuned_index(shop, k=5, target_recall=0.8, data=shop_data)
    return sl.load_bundle(sl.save_bundle(made, tmp_path_factory.mktemp("ivf") / "bundle"))


def test_what_was_measured_is_saved_with_the_bundle(tuned: Bundle) -> None:
    assert tuned.index is not None
    assert tuned.index.settings["kind"] == "ivf"
    measured = tuned.index.measured
    assert measured is not None
    assert measured["k"] == 5
    assert measured["recall"] >= 0.8
    assert measured["num_queries"] == 30
    assert measured["exact"]["p50_ms"] > 0
    ndcg = measured["ndcg"]
    assert ndcg["loss"] == pytest.approx(ndcg["exact"] - ndcg["approximate"])
    assert ndcg["exact"] > ndcg["loss"] >= -0.05


def test_a_loss_that_cannot_be_measured_says_why(shop: Bundle) -> None:
    made = sl.with_tuned_index(shop, k=3, target_recall=0.5)
    assert made.index is not None
    assert made.index.measured is not None
    assert "came from Python and has no name to read it by" in made.index.measured["ndcg"]["not_computed"]


def test_versions_tell_an_index_and_a_model_apart(shop: Bundle, tuned: Bundle, tmp_path: Path) -> None:
    again = sl.load_bundle(sl.save_bundle(shop, tmp_path / "again"))
    assert (again.version, again.index_version) == (shop.version, shop.index_version)
    assert tuned.version != shop.version
    assert tuned.index_version != shop.index_version
    retired = sl.load_bundle(sl.save_bundle(sl.retire_items(tuned, [1]), tmp_path / "retired"))
    assert retired.version != tuned.version
    assert retired.index_version == tuned.index_version
    source = sl.Recommender(retired).recommend({"user_id": 7}, 3).source
    assert (source.model, source.index, source.index_version) == (retired.version, "ivf", retired.index_version)


def test_an_approximate_index_meets_every_rule_and_says_when_it_looked_at_everything(tuned: Bundle) -> None:
    recommender, exact = sl.Recommender(tuned), sl.Recommender(dataclasses.replace(tuned, index=None))
    for user in range(60):
        for rules in ({}, {"where": {"column": "price", "below": 3}}, {"allow": [1, 9, 11]}, {"exclude": [0, 1, 2]}):
            found = recommender.recommend({"user_id": user}, 5, **rules)
            wanted = exact.recommend({"user_id": user}, 5, **rules)
            assert len(found.items) == len(wanted.items)
            assert (found.excluded, found.filters) == (wanted.excluded, wanted.filters)
            if found.source.exact:
                assert [item.id for item in found.items] == [item.id for item in wanted.items]
        assert recommender.recommend({"user_id": user}, 24).source.exact  # more than the lists probed hold
    assert not recommender.recommend({"user_id": 7}, 1, exclude_seen=False).source.exact


def test_neighbours_are_searched_exactly(tuned: Bundle) -> None:
    assert sl.Recommender(tuned).similar(1, 5).source.exact


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_rounded_vectors_give_nearly_the_same_lists(shop: Bundle, precision: str, tmp_path: Path) -> None:
    rounded = sl.load_bundle(sl.save_bundle(sl.with_exact_index(shop, precision), tmp_path / "rounded"))  # type: ignore[arg-type]
    assert rounded.index is not None
    assert rounded.index.settings == {"kind": "exact", "precision": precision}
    assert rounded.index.measured is not None
    assert rounded.index.measured["recall"] > 0.9
    assert not sl.Recommender(rounded).recommend({"user_id": 7}, 3).source.exact
    table = pl.DataFrame({"user_id": np.arange(60)})
    lists, wanted = (sl.Recommender(bundle).recommend_table(table, 5) for bundle in (rounded, shop))
    same = lists.join(wanted, on=["query_row", "item_id"], how="semi").height / wanted.height
    assert same > 0.9
    np.testing.assert_allclose(lists["score"], wanted["score"], atol=0.05)


def test_an_index_of_other_vectors_is_refused_by_name(tuned: Bundle) -> None:
    fewer = dataclasses.replace(tuned, item_vectors=tuned.item_vectors[:-1], items=tuned.items[:-1])
    with pytest.raises(BundleError, match="index"):
        sl.Recommender(fewer)


def test_an_unknown_kind_of_index_is_refused(shop: Bundle) -> None:
    with pytest.raises(BundleError, match="The kind of an index should be one of 'exact', 'ivf', but it is 'scann'"):
        sl.Recommender(dataclasses.replace(shop, index=SavedIndex({"kind": "scann"})))


def test_a_bundle_that_knows_few_users_cannot_tune(shop: Bundle) -> None:
    few = dataclasses.replace(shop, user_events=(np.arange(60) < 10).astype(np.int64))
    with pytest.raises(SettingsError, match="queries should be 16 or more"):
        sl.with_tuned_index(few, k=3)


def test_what_is_retired_has_no_part_in_the_loss(shop: Bundle, shop_data: sl.Dataset) -> None:
    popular = shop.items.sort("popularity", descending=True)["id"].head(8).to_list()
    whole, without = (
        sl.with_exact_index(bundle, "int8", k=5, data=shop_data) for bundle in (shop, sl.retire_items(shop, popular))
    )
    events = [made.index.measured["ndcg"]["events"] for made in (whole, without)]  # type: ignore[union-attr, index]
    assert events[1] < events[0]
    nothing = sl.with_exact_index(sl.retire_items(shop, range(24)), "int8", k=5, data=shop_data)
    assert nothing.index is not None
    assert nothing.index.measured is not None
    assert nothing.index.measured["ndcg"] == {"not_computed": "every item of the test events is retired"}
