import dataclasses
import inspect
import json
import tomllib
from typing import Any

import pytest

from shortlist.data import LeaveLastOut, RandomSplit, TimeSplit
from shortlist.data.split_choices import SplitChoice
from shortlist.errors import SettingsError
from shortlist.features import (
    AnyFeature,
    Bucketize,
    Categories,
    Cross,
    Hash,
    Lookup,
    Normalize,
    SentenceEncoder,
    Since,
    Text,
    Vectors,
)
from shortlist.models import TwoTower
from shortlist.settings import (
    Adagrad,
    AdamW,
    Experiment,
    InBatchSoftmax,
    Protocol,
    Training,
    TwoTowerSettings,
    load_preset,
    merge,
    preset_names,
)
from shortlist.settings.experiment import FeatureSettings, OptimizerSettings, SplitSettings

SMALLEST: dict[str, Any] = {
    "data": {"source": "mine"},
    "split": {"time": {}},
    "features": {"query": [{"lookup": "user"}], "item": [{"lookup": "sku"}]},
    "model": {"two_tower": {}},
}


def read(**changes: Any) -> Experiment:
    return Experiment.read(merge(SMALLEST, changes), "films.toml")


def refusal(tables: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        Experiment.read(tables, "films.toml")
    text = str(caught.value)
    assert text.startswith("films.toml: ")
    return text.removeprefix("films.toml: ")


def nested(path: str, value: object) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    assert isinstance(value, dict)
    return value


class TestPresets:
    def test_their_names_are_known(self) -> None:
        assert preset_names() == ["movielens-100k", "recommended", "tutorial"]

    @pytest.mark.parametrize("name", ["movielens-100k", "tutorial"])
    def test_they_come_back_whole_from_tables_json_and_toml(self, name: str) -> None:
        preset = load_preset(name)
        assert Experiment.read(preset.tables(), "tables") == preset
        assert Experiment.read(json.loads(json.dumps(preset.tables(), allow_nan=False)), "json") == preset
        assert Experiment.read(tomllib.loads(preset.to_toml()), "toml") == preset

    def test_an_unknown_one_is_refused_with_the_known_ones(self) -> None:
        with pytest.raises(SettingsError, match="There is no preset 'tut'; the known ones are 'movielens-100k', 'rec"):
            load_preset("tut")


class TestTutorial:
    """The settings of the deep retrieval tutorial of TensorFlow Recommenders."""

    preset = load_preset("tutorial")

    def test_it_shuffles_the_ratings_once_and_tests_on_a_fifth(self) -> None:
        assert self.preset.data.source == "movielens-100k"
        assert self.preset.split.chosen == RandomSplit(test=0.2, validation=0.0, seed=42)

    def test_it_reads_what_the_tutorial_reads(self) -> None:
        assert self.preset.features.fit_on == "all"
        assert self.preset.features.query == (
            Lookup("user_id", width=32, min_count=1),
            Bucketize("timestamp", boundaries=1000, width=32, method="equal_width", precision="float32"),
            Normalize("timestamp"),
        )
        assert self.preset.features.item == (
            Lookup("title", width=32, min_count=1),
            Text("title", width=32, max_tokens=10_000, lowercase="ascii"),
        )

    def test_its_towers_are_plain_dense_layers(self) -> None:
        assert self.preset.model.chosen == TwoTowerSettings(
            layers=(64, 32), activation="relu", dropout=0.0, normalize=False, item_bias=False, init="keras"
        )

    def test_its_loss_is_summed_and_corrects_nothing(self) -> None:
        assert self.preset.training.loss.chosen == InBatchSoftmax(
            reduction="sum", temperature=1.0, log_q=False, remove_accidental_hits=False
        )

    def test_its_optimiser_is_keras_adagrad(self) -> None:
        assert self.preset.training.optimizer.chosen == Adagrad(
            learning_rate=0.1, initial_accumulator=0.1, epsilon=1e-7
        )

    def test_it_trains_300_epochs_and_watches_the_test_every_five(self) -> None:
        assert self.preset.training.schedule == Training(
            epochs=300, batch_size=2048, validate_every=5, watch="test", patience=None, metric=None, seed=1
        )

    def test_it_measures_as_the_tutorial_does(self) -> None:
        assert self.preset.evaluation.protocol == Protocol(
            ks=(1, 5, 10, 50, 100), seen="included", ties="optimistic", baselines=("popularity",)
        )


class TestDefaults:
    def test_features_learn_from_training_rows(self) -> None:
        assert read().features.fit_on == "train"

    def test_what_is_not_said_is_the_default_of_its_choice(self) -> None:
        experiment = read()
        assert experiment.split.chosen == TimeSplit()
        assert experiment.model.chosen == TwoTowerSettings()
        assert experiment.training.loss.chosen == InBatchSoftmax()
        assert experiment.training.optimizer.chosen == Adagrad()
        assert experiment.training.schedule == Training()
        assert experiment.evaluation.protocol == Protocol()

    def test_the_model_and_its_settings_take_the_same_fields_with_the_same_defaults(self) -> None:
        parameters = dict(inspect.signature(TwoTower).parameters)
        del parameters["features"]
        fields = {field.name: field.default for field in dataclasses.fields(TwoTowerSettings)}
        assert {name: parameter.default for name, parameter in parameters.items()} == fields


class TestUnknownKeys:
    @pytest.mark.parametrize(
        "path",
        [
            "epocks",
            "data.epocks",
            "split.epocks",
            "split.time.epocks",
            "features.epocks",
            "model.epocks",
            "model.two_tower.epocks",
            "training.epocks",
            "training.loss.epocks",
            "training.loss.in_batch_softmax.epocks",
            "training.optimizer.epocks",
            "training.optimizer.adagrad.epocks",
            "training.schedule.epocks",
            "evaluation.epocks",
            "evaluation.protocol.epocks",
        ],
    )
    def test_they_are_refused_by_their_path(self, path: str) -> None:
        text = refusal(merge(SMALLEST, nested(path, 3)))
        assert f"{path} is not a known key; take it out or correct its spelling." in text

    def test_an_unknown_setting_of_a_feature_is_refused_by_its_place(self) -> None:
        entries = [{"lookup": "a"}, {"lookup": "b", "widht": 3}]
        text = refusal(merge(SMALLEST, {"features": {"query": entries}}))
        assert text == "features.query.1: lookup has no setting 'widht'."

    def test_every_missing_section_is_named(self) -> None:
        assert refusal({}) == "data is missing. split is missing. features is missing. model is missing."

    def test_a_file_that_is_no_table_is_refused(self) -> None:
        assert refusal([1]).startswith("the value should be a valid dictionary")


class TestExactlyOne:
    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            (
                {"split": {"random": {}}},
                "split: exactly one of random, time, leave_last_out, cold_items, held_out_users, given must be "
                "named, but random, time is.",
            ),
            (
                {"training": {"optimizer": {"adagrad": {}, "adamw": {}}}},
                "training.optimizer: exactly one of adagrad, rowwise_adagrad, lazy_adam, adamw must be named, but "
                "adagrad, adamw is.",
            ),
            (
                {"training": {"loss": {}}},
                "training.loss: exactly one of in_batch_softmax, full_softmax, bpr, pairwise_hinge, "
                "cosine_contrastive must be named, but none is.",
            ),
        ],
        ids=["split", "optimizer", "loss"],
    )
    def test_a_section_names_one_kind(self, changes: dict[str, Any], text: str) -> None:
        assert refusal(merge(SMALLEST, changes)) == text

    @pytest.mark.parametrize("section", ["split", "model"])
    def test_an_empty_section_is_refused(self, section: str) -> None:
        assert "must be named, but none is." in refusal(SMALLEST | {section: {}})

    @pytest.mark.parametrize("choice", [RandomSplit(seed=3), TimeSplit(test=0.3), LeaveLastOut(validation=True)])
    def test_every_split_has_its_section(self, choice: SplitChoice) -> None:
        assert SplitSettings.of(choice).chosen == choice
        assert read().model_copy(update={"split": SplitSettings.of(choice)}).split.chosen == choice

    @pytest.mark.parametrize("choice", [Adagrad(0.3), AdamW(0.3)])
    def test_every_optimiser_has_its_section(self, choice: Adagrad | AdamW) -> None:
        assert OptimizerSettings.of(choice).chosen == choice


class TestFeatures:
    @pytest.mark.parametrize(
        ("entry", "feature"),
        [
            ({"lookup": "a"}, Lookup("a")),
            ({"hash": "a", "num_rows": 50, "seed": 3}, Hash("a", num_rows=50, seed=3)),
            ({"bucketize": "a", "boundaries": [1.5, 2.5]}, Bucketize("a", boundaries=(1.5, 2.5))),
            (
                {"bucketize": "a", "boundaries": 7, "method": "quantiles"},
                Bucketize("a", boundaries=7, method="quantiles"),
            ),
            ({"bucketize": "a", "precision": "float32"}, Bucketize("a", precision="float32")),
            ({"normalize": "a", "missing": 0.5}, Normalize("a", missing=0.5)),
            ({"text": "a", "lowercase": "ascii", "width": 8}, Text("a", lowercase="ascii", width=8)),
            (
                {"categories": "a", "separator": ",", "missing": "error"},
                Categories("a", separator=",", missing="error"),
            ),
            ({"vectors": "a", "scaling": "unit"}, Vectors("a", scaling="unit")),
            ({"cross": ["a", "b"], "width": 16, "num_rows": 99}, Cross(("a", "b"), width=16, num_rows=99)),
            ({"since": "a", "boundaries": [60.0, 3600.0]}, Since("a", boundaries=(60.0, 3600.0))),
            ({"sentence_encoder": "a", "model": "m"}, SentenceEncoder("a", model="m")),
        ],
        ids=str,
    )
    def test_every_kind_is_read_and_written_as_it_was(self, entry: dict[str, Any], feature: AnyFeature) -> None:
        experiment = read(features={"query": [entry]})
        assert experiment.features.query == (feature,)
        assert experiment.tables()["features"]["query"] == [entry]
        assert Experiment.read(tomllib.loads(experiment.to_toml()), "again") == experiment

    @pytest.mark.parametrize(
        ("entry", "text"),
        [
            (
                {"width": 3},
                "features.item.0: a feature names one of lookup, hash, cross, bucketize, normalize, vectors, "
                "hour, weekday, since, text, sentence_encoder, categories, history",
            ),
            ({"lookup": "a", "text": "a"}, "features.item.0: a feature names one of lookup, hash, cross"),
            ({"lookup": "a", "column": "b"}, "features.item.0: lookup has no setting 'column'."),
            ({"lookup": "a", "width": 0}, "features.item.0: Lookup: width should be greater than 0, but it is 0."),
            ({"lookup": 3}, "features.item.0: Lookup: column should be a valid string, but it is 3."),
            ({"hash": "a"}, "features.item.0: Hash: num_rows is missing."),
            ({"cross": "a"}, "features.item.0: Cross: columns should be a valid list, but it is 'a'."),
            ({"cross": ["a", "b"], "columns": 3}, "features.item.0: cross has no setting 'columns'."),
            ({"bucketize": "a", "boundaries": [2, 1]}, "features.item.0: Bucketize: boundaries should be ascending"),
            ("sku", "features.item.0: a feature should be a table such as { lookup = \"user_id\" }, but it is 'sku'."),
        ],
        ids=str,
    )
    def test_what_is_no_feature_is_refused_by_its_place(self, entry: object, text: str) -> None:
        assert refusal(merge(SMALLEST, {"features": {"item": [entry]}})).startswith(text)

    @pytest.mark.parametrize("side", ["query", "item"])
    def test_a_tower_without_features_is_refused(self, side: str) -> None:
        text = refusal(merge(SMALLEST, {"features": {side: []}}))
        assert text.startswith(f"features.{side} should have at least 1 entry, but it is [].")

    def test_features_may_be_given_as_objects(self) -> None:
        settings = FeatureSettings(query=(Lookup("a"),), item=(Lookup("b"),))
        assert settings.query == (Lookup("a"),)


class TestWrongValues:
    @pytest.mark.parametrize(
        ("path", "value", "text"),
        [
            ("data.source", 3, "should be a valid string, but it is 3."),
            ("split.time.test", 1.5, "should be less than 1, but it is 1.5."),
            ("features.fit_on", "test", "should be 'train' or 'all', but it is 'test'."),
            ("features.query", "user", "should be a valid list, but it is 'user'."),
            ("model.two_tower", 3, "should be a dictionary or an instance of TwoTowerSettings, but it is 3."),
            ("model.two_tower.layers", 64, "should be a valid list, but it is 64."),
            ("model.two_tower.layers", [64, 0], ".1 should be greater than 0, but it is 0."),
            ("model.two_tower.layers", [], "should have at least 1 entry, but it is []."),
            ("model.two_tower.dropout", 1.0, "should be less than 1, but it is 1.0."),
            ("model.two_tower.init", "xavier", "should be 'keras' or 'torch', but it is 'xavier'."),
            ("training", 3, "should be a valid dictionary or instance of TrainingSettings, but it is 3."),
            ("training.loss.in_batch_softmax.temperature", 0, "should be greater than 0, but it is 0."),
            ("training.optimizer.adagrad.learning_rate", float("nan"), "should be a finite number, but it is nan."),
            ("training.schedule.epochs", "many", "should be a valid integer, but it is 'many'."),
            ("training.schedule.epochs", "20", "should be a valid integer, but it is '20'."),
            ("training.schedule.epochs", True, "should be a valid integer, but it is True."),
            ("training.schedule.epochs", 2.5, "should be a valid integer, but it is 2.5."),
            ("training.schedule.epochs", 2.0, "should be a valid integer, but it is 2.0."),
            ("training.schedule.seed", 2**63, f"should be less than {2**63}, but it is {2**63}."),
            ("training.optimizer.adagrad.learning_rate", "0.1", "should be a valid number, but it is '0.1'."),
            ("training.optimizer.adagrad.learning_rate", True, "should be a valid number, but it is True."),
            ("evaluation.protocol.ks", [True], ".0 should be a valid integer, but it is True."),
            ("training.schedule.batch_size", 0, "should be greater than 0, but it is 0."),
            ("training.schedule.seed", -1, "should be greater than or equal to 0, but it is -1."),
            ("evaluation.protocol.ks", [0], ".0 should be greater than 0, but it is 0."),
            ("evaluation.protocol.seen", "no", "should be 'included' or 'excluded', but it is 'no'."),
            ("evaluation.protocol.collapse_gap", 0, "should be greater than 0, but it is 0."),
        ],
    )
    def test_they_are_refused_by_path_with_what_was_expected(self, path: str, value: object, text: str) -> None:
        said = refusal(merge(SMALLEST, nested(path, value)))
        assert said.startswith(f"{path}{text}" if text.startswith(".") else f"{path} {text}")

    @pytest.mark.parametrize("watch", ["test", "nothing"])
    def test_early_stopping_watches_validation_only(self, watch: str) -> None:
        text = refusal(merge(SMALLEST, nested("training.schedule", {"patience": 3, "watch": watch})))
        assert text.startswith('training.schedule: patience (early stopping) needs watch="validation", but watch is')
        with pytest.raises(SettingsError, match=f"Training: patience .* but watch is '{watch}'"):
            Training(patience=3, watch=watch)  # type: ignore[arg-type]

    def test_early_stopping_watches_a_metric_of_the_protocol(self) -> None:
        schedule = {"training": {"schedule": {"metric": "ndcg_7"}}}
        text = refusal(merge(SMALLEST, schedule | {"evaluation": {"protocol": {"ks": [5]}}}))
        assert text == (
            "Early stopping watches metric 'ndcg_7', which this protocol does not measure; it measures "
            "top_5_accuracy, recall_5, hit_rate_5, precision_5, ndcg_5, map_5, mrr. "
            "Name one of these, or leave the metric out."
        )
        assert read(**schedule, evaluation={"protocol": {"ks": [7]}}).training.schedule.metric == "ndcg_7"


class TestOverride:
    def test_only_what_is_named_changes(self) -> None:
        before = load_preset("tutorial")
        after = before.override({"training": {"schedule": {"epochs": 5}}, "model": {"two_tower": {"layers": [8]}}})
        wanted = before.tables()
        wanted["training"]["schedule"]["epochs"] = 5
        wanted["model"]["two_tower"]["layers"] = [8]
        assert after.tables() == wanted

    def test_it_leaves_the_original_alone(self) -> None:
        before = load_preset("tutorial")
        before.override({"training": {"schedule": {"epochs": 5}}})
        assert before == load_preset("tutorial")

    def test_a_list_is_replaced_whole(self) -> None:
        changed = load_preset("tutorial").override({"features": {"query": [{"lookup": "user_id"}]}})
        assert changed.features.query == (Lookup("user_id"),)

    def test_nothing_changed_is_the_same_experiment(self) -> None:
        assert load_preset("tutorial").override({}) == load_preset("tutorial")

    def test_another_kind_takes_the_place_of_the_one_that_was_named(self) -> None:
        changed = load_preset("tutorial").override(
            {"training": {"optimizer": {"adamw": {"learning_rate": 0.5}}}, "split": {"leave_last_out": {}}}
        )
        assert changed.training.optimizer.chosen == AdamW(learning_rate=0.5)
        assert changed.split.chosen == LeaveLastOut()

    def test_a_setting_of_the_named_kind_keeps_its_other_settings(self) -> None:
        changed = load_preset("tutorial").override({"training": {"optimizer": {"adagrad": {"learning_rate": 0.5}}}})
        assert changed.training.optimizer.chosen == Adagrad(0.5, initial_accumulator=0.1, epsilon=1e-7)

    def test_two_kinds_at_once_are_refused(self) -> None:
        with pytest.raises(
            SettingsError,
            match="lazy_adam, adamw must be named, but adagrad, adamw is",
        ):
            load_preset("tutorial").override({"training": {"optimizer": {"adamw": {}, "adagrad": {}}}})

    def test_changes_are_checked(self) -> None:
        with pytest.raises(
            SettingsError, match=r"the changed experiment: training\.schedule\.epochs should be greater"
        ):
            load_preset("tutorial").override({"training": {"schedule": {"epochs": 0}}})

    def test_unknown_keys_are_refused_here_too(self) -> None:
        with pytest.raises(
            SettingsError, match=r"the changed experiment: training\.schedule\.epocks is not a known key"
        ):
            load_preset("tutorial").override({"training": {"schedule": {"epocks": 3}}})


class TestMerge:
    def test_tables_are_laid_over_each_other_key_by_key(self) -> None:
        base = {"a": {"b": 1, "c": {"d": 2}}, "e": 3}
        assert merge(base, {"a": {"c": {"f": 4}}, "g": 5}) == {"a": {"b": 1, "c": {"d": 2, "f": 4}}, "e": 3, "g": 5}

    def test_a_table_and_a_value_replace_each_other(self) -> None:
        assert merge({"a": 1, "b": {"c": 2}}, {"a": {"d": 3}, "b": 4}) == {"a": {"d": 3}, "b": 4}

    def test_both_sides_stay_as_they_were(self) -> None:
        base, changes = {"a": {"b": 1}}, {"a": {"c": 2}}
        merge(base, changes)
        assert (base, changes) == ({"a": {"b": 1}}, {"a": {"c": 2}})


class TestProtocol:
    @pytest.mark.parametrize(
        ("num_items", "metric"),
        [
            (1_682, "top_100_accuracy"),
            (200, "top_100_accuracy"),
            (199, "top_50_accuracy"),
            (20, "top_10_accuracy"),
            (19, "mrr"),
            (1, "mrr"),
        ],
    )
    def test_the_longest_list_of_at_most_half_the_catalogue_decides(self, num_items: int, metric: str) -> None:
        assert Protocol(ks=(50, 100, 10)).decisive(num_items) == metric

    def test_it_measures_six_families_and_mrr_and_what_lists_show(self) -> None:
        families = ("top_{}_accuracy", "recall_{}", "hit_rate_{}", "precision_{}", "ndcg_{}", "map_{}")
        protocol = Protocol(ks=(5, 1))
        assert protocol.metrics == [*(family.format(k) for k in (5, 1) for family in families), "mrr"]
        shown = ("coverage_{}", "gini_{}", "novelty_{}", "average_popularity_{}", "overlap_{}")
        assert protocol.shown_metrics == [family.format(k) for k in (5, 1) for family in shown]

    @pytest.mark.parametrize("metric", ["recall_7", "top_1", "mrr/full/seen_excluded/ties_expected", ""])
    def test_a_metric_that_it_does_not_measure_is_refused(self, metric: str) -> None:
        text = (
            f"Early stopping watches metric {metric!r}, which this protocol does not measure; it measures "
            "top_1_accuracy, recall_1, hit_rate_1, precision_1, ndcg_1, map_1, mrr. "
            "Name one of these, or leave the metric out."
        )
        with pytest.raises(SettingsError) as caught:
            Protocol(ks=(1,)).refuse_unmeasured(metric)
        assert str(caught.value) == text

    def test_those_that_it_measures_are_taken(self) -> None:
        for metric in Protocol().metrics:
            Protocol().refuse_unmeasured(metric)

    def test_a_metrics_name_says_how_it_was_measured(self) -> None:
        protocol = Protocol(seen="included", ties="optimistic")
        assert protocol.name("top_5_accuracy") == "top_5_accuracy/full/seen_included/ties_optimistic"
