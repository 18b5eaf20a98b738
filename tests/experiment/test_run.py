from pathlib import Path
from typing import Any

import pytest
from market import ALL_GOODS, market, small_model

import shortlist as sl
from shortlist.data.splits import Split
from shortlist.errors import BundleError, DataError, DivergedError


def run_of(split: Split, watch: Any) -> sl.Run:
    training = sl.Training(epochs=2, validate_every=2, watch=watch)
    return sl.train(small_model(split), split, training=training, protocol=ALL_GOODS, progress=False)


class TestEvaluate:
    @pytest.mark.parametrize("table", ["items", "users"])
    def test_events_over_other_items_or_users_are_refused(
        self, shop_run: sl.Run, shop_data: sl.Dataset, table: str
    ) -> None:
        tables: dict[str, Any] = {"items": shop_data.items, "users": shop_data.users}
        tables[table] = tables[table].reverse()
        other = sl.Dataset(
            shop_data.interactions, **tables, query_id="user_id", item_id="item_id", label="title", time="time"
        )
        with pytest.raises(DataError) as caught:
            shop_run.evaluate(other)
        assert str(caught.value) == (
            "The events to evaluate have other items or users than the run's split, so their rows mean others; "
            "give a part of run.split, or run.split.test.take(rows)."
        )

    def test_the_same_events_read_again_are_taken(self, shop_run: sl.Run, shop_data: sl.Dataset) -> None:
        again = sl.Dataset(
            shop_data.interactions.clone(),
            items=shop_data.items.clone(),
            users=shop_data.users.clone(),
            query_id="user_id",
            item_id="item_id",
            label="title",
            time="time",
        )
        test = sl.split_by_time(again, test=1 / 3).test
        assert shop_run.evaluate(test).metrics == shop_run.evaluate().metrics


class TestWatched:
    @pytest.mark.parametrize(
        ("watch", "sku", "popularity"),
        # Tea, which training sold twenty times, is the most popular for everyone; jam sold once.
        [("validation", "tea", {"popularity": 1.0}), ("test", "jam", {"popularity": 0.0}), ("nothing", None, {})],
    )
    def test_the_baselines_of_a_curve_stand_on_the_events_that_it_is_about(
        self, watch: str, sku: str | None, popularity: dict[str, float]
    ) -> None:
        run = run_of(market(), watch)
        assert (None if run.watched is None else set(run.watched.interactions["sku"])) == (sku and {sku})
        assert run.curve_baselines(run.evaluate()) == popularity

    def test_the_baselines_of_a_curve_are_measured_as_the_curve_was(self) -> None:
        # With tea, which all had bought, left out, jam is all that is left to recommend.
        run = run_of(market(), "test")
        assessment = run.evaluate(protocol=sl.Protocol(ks=(1,), seen="excluded", baselines=("popularity",)))
        assert assessment.baselines["popularity"].value("top_1_accuracy") == 1.0
        assert run.curve_baselines(assessment) == {"popularity": 0.0}

    @pytest.mark.parametrize(
        ("watch", "accuracy"),
        # Sales in training: tea 2, jam 1, oil 0, ham 0. User 1, for whom tea is left out, buys jam, which comes first,
        # and oil, which is second or third with the same chance; in the test ham, the only item left.
        [("validation", 0.75), ("test", 1.0)],
    )
    def test_what_users_had_bought_before_is_left_out(self, watch: Any, accuracy: float) -> None:
        sales = {
            "user": [1, 2, 2, 1, 1, 1],
            "sku": ["tea", "tea", "jam", "jam", "oil", "ham"],
            "ts": [1, 1, 1, 2, 2, 3],
        }
        items = {"sku": ["ham", "jam", "oil", "tea"]}
        data = sl.Dataset(sales, items=items, query_id="user", item_id="sku", time="ts")
        split = sl.split_by_time(data, test=1 / 6, validation=2 / 6)
        training = sl.Training(epochs=1, watch=watch)
        # oil and ham are both unknown to the model, and so tie
        protocol = sl.Protocol(ks=(2,), collapse_gap=1, baselines=("popularity",))
        run = sl.train(small_model(split), split, training=training, protocol=protocol, progress=False)
        assert run.curve_baselines(run.evaluate()) == {"popularity": accuracy}
        assert run.evaluate(run.watched).metrics.items() >= run.history.epochs[-1].metrics.items()


def test_features_fitted_by_hand_are_noted_as_unknown(shop_run: sl.Run) -> None:
    assert shop_run.fit_on == "unknown"
    assert shop_run.notes == [
        "The features were fitted by hand, and whether on training events alone is not known here."
    ]


def test_a_run_refuses_a_taken_path_before_it_exports(shop_run: sl.Run, tmp_path: object) -> None:
    with pytest.raises(BundleError, match="is there already, and a bundle is never written over"):
        shop_run.save(str(tmp_path))


class TestSave:
    def test_a_model_whose_vectors_overflow_is_not_saved(self, shop_split: Split, tmp_path: Path) -> None:
        training = sl.Training(epochs=1, batch_size=10_000, watch="nothing")
        run = sl.train(small_model(shop_split), shop_split, optimizer=sl.AdamW(1e30), training=training, progress=False)
        with pytest.raises(DivergedError, match="Item vectors hold NaN or infinity, so the bundle"):
            run.save(tmp_path / "bundle")
        assert list(tmp_path.iterdir()) == []
