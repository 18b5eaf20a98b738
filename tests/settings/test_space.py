"""The search space: what may vary, what is refused, and what an experiment becomes."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortlist.errors import SettingsError
from shortlist.features import History, Lookup
from shortlist.settings import (
    AdamW,
    Choices,
    Experiment,
    FullSoftmax,
    LazyAdam,
    Range,
    Space,
    default_space,
    load_preset,
    load_space,
)
from shortlist.settings.places import Place, nested, value_at

BASE = Experiment.read(
    {
        "data": {"source": "mine"},
        "split": {"time": {"validation": 0.1}},
        "features": {
            "query": [{"lookup": "user", "width": 8}, {"history": "sku", "width": 16}],
            "item": [{"lookup": "sku"}],
        },
        "model": {"two_tower": {"layers": [16, 8], "dropout": 0.25}},
        "training": {"optimizer": {"adamw": {"learning_rate": 0.01, "weight_decay": 0.5}}},
    },
    "base.toml",
)


def at(name: str, **ranged: Any) -> dict[str, Any]:
    return nested(tuple(name.split(".")), ranged)


def space(name: str, **ranged: Any) -> Space:
    return Space.read(at(name, **ranged), "space.toml")


def refusal(tables: dict[str, Any]) -> str:
    with pytest.raises(SettingsError) as caught:
        Space.read(tables, "space.toml").on(BASE)
    text = str(caught.value)
    assert text.startswith("space.toml: ")
    return text.removeprefix("space.toml: ")


DEPTHS = at("model.two_tower.layers", choices=[[8], [16, 8]])
KINDS: dict[str, Any] = {
    "training": {
        "optimizer": {
            "adamw": {"learning_rate": {"low": 0.001, "high": 0.1, "log": True}},
            "adagrad": {"learning_rate": {"low": 0.01, "high": 1.0}},
            "lazy_adam": {},
        }
    }
}


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("name", "ranged", "says"),
        [
            ("model.two_tower.layerz", {"choices": [[8]]},
             "model.two_tower.layerz is not a known key; take it out or correct its spelling."),
            ("model.two_towers.layers", {"choices": [[8]]},
             "model.two_towers is not a known key; take it out or correct its spelling."),
            ("training.optimizer.adamw.learning_rat", {"low": 0.1, "high": 0.2},
             "training.optimizer.adamw.learning_rat is not a known key; take it out or correct its spelling."),
            ("model.two_tower.activation", {"low": 1, "high": 2},
             'model.two_tower.activation is no number, for it may be "relu"; a range is for numbers. Name choices = '
             "[...] instead."),
            ("model.two_tower.normalize", {"low": 0, "high": 1},
             "model.two_tower.normalize is no number, for it may be false; a range is for numbers. Name choices = "
             "[...] instead."),
            ("model.two_tower.layers", {"low": 8, "high": 16},
             "model.two_tower.layers is no number, for it may be [16, 8]; a range is for numbers. Name choices = [...] "
             "instead."),
            ("training.loss.full_softmax.remove_known_positives", {"low": 0, "high": 1},
             "training.loss.full_softmax.remove_known_positives is no number, for it may be false; a range is for "
             "numbers. Name choices = [...] instead."),
            ("training.loss.full_softmax.reduction", {"low": 0, "high": 1},
             "training.loss.full_softmax.reduction should be 'sum' or 'mean', but it is 0."),
            ("model.two_tower.dropout", {"low": 0.5, "high": 0.5},
             "model.two_tower.dropout: low should be below high, but they are 0.5 and 0.5."),
            ("model.two_tower.dropout", {"low": 0.5, "high": 1.0},
             "model.two_tower.dropout should be less than 1, but it is 1.0."),
            ("model.two_tower.dropout", {"choices": [0.5, 1.5]},
             "model.two_tower.dropout should be less than 1, but it is 1.5."),
            ("model.two_tower.dropout", {"choices": []},
             "model.two_tower.dropout: choices should have at least 1 entry, but it is []."),
            ("model.two_tower.dropout", {"choices": [0.1, 0.2, 0.1]},
             "model.two_tower.dropout: choices should name each value once, but they are '0.1', '0.2', '0.1'."),
            ("model.two_tower.dropout", {"low": 0.1, "hihg": 0.2},
             "model.two_tower.dropout: high is missing. hihg is not a known key; take it out or correct its spelling."),
            ("model.two_tower.dropout", {"choices": [0.1], "low": 0.2},
             "model.two_tower.dropout: low is not a known key; take it out or correct its spelling."),
            ("model.two_tower.dropout", {"low": "a little", "high": 0.2},
             "model.two_tower.dropout: low should be a valid integer, or should be a valid number, but it is "
             "'a little'."),
            ("model.two_tower.dropout", {"low": 0.0, "high": 0.5, "log": True},
             "model.two_tower.dropout: low should be above 0 where log = true, but it is 0.0."),
            ("model.two_tower.learned_temperature", {"low": 1, "high": 3, "step": 1},
             "model.two_tower.learned_temperature: step is for whole numbers; take it out, or name choices = [...]."),
            ("training.schedule.epochs", {"low": 1, "high": 9, "step": 2, "log": True},
             "training.schedule.epochs: step does not go with log = true; take one of them out."),
            ("training.schedule.epochs", {"low": 1, "high": 9, "step": 3},
             "training.schedule.epochs: high should be low and whole steps, but 1 to 9 are no multiple of 3."),
            ("training.schedule.epochs", {"low": 1.5, "high": 9},
             "training.schedule.epochs should be a valid integer, but it is 1.5."),
            ("training.schedule.seed", {"low": 1, "high": 9},
             "training.schedule.seed cannot vary: a search gives each trial its seed, does not refit, and compares all "
             "trials by one metric after the same share of their epochs. Take it out."),
            ("features.item.lookup_user.width", {"choices": [8]},
             "features.item has no 'lookup_user'; it has 'lookup_sku'."),
            ("features.item.lookup_sku.widths", {"choices": [8]}, "features.item.0: lookup has no setting 'widths'."),
            ("features.item.lookup_sku", {"choices": [{"width": 8}]},
             "features.item.lookup_sku is a table of settings, not one of them; let these vary one by one."),
            ("training.optimizer", {"choices": ["adamw"]},
             "training.optimizer is a table of settings, not one of them; let these vary one by one."),
        ],
    )  # fmt: skip
    def test_before_anything_trains(self, name: str, ranged: dict[str, Any], says: str) -> None:
        assert refusal(at(name, **ranged)) == says

    @pytest.mark.parametrize("name", ["data.source", "split.time.test", "features.fit_on", "evaluation.protocol.ks"])
    def test_what_says_what_is_measured(self, name: str) -> None:
        says = refusal(at(name, choices=[1]))
        assert "cannot vary: data, split, evaluation and what the features are fitted on say what is measured" in says
        assert "Searched are model, training.loss, training.optimizer, features.query" in says

    def test_a_value_in_the_place_of_a_range(self) -> None:
        assert refusal(nested(("model", "two_tower", "dropout"), 0.5)) == (
            "model.two_tower.dropout is 0.5, which does not vary. Write { choices = [...] } or { low = ..., high = ... "
            "}, or put the value into the experiment."
        )

    @pytest.mark.parametrize("tables", [{}, {"training": {"optimizer": {"adamw": {}}}}])
    def test_nothing_that_varies(self, tables: dict[str, Any]) -> None:
        assert refusal(tables) == (
            "no setting varies. Name one, such as model.two_tower.dropout = { low = 0.0, high = 0.5 }."
        )

    def test_a_kind_that_cannot_be_with_the_rest(self) -> None:
        assert refusal({"training": {"loss": {"cosine_contrastive": {}, "full_softmax": {}}}}).startswith(
            "cosine_contrastive compares cosines with its margin: the model needs normalize = true"
        )

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (None, "space.toml cannot be read as a search space in TOML: [Errno 2] No such file"),
            ("model = {", "space.toml cannot be read as a search space in TOML: Invalid"),
            ("model.two_tower.dropout = 1", "space.toml: model.two_tower.dropout is 1, which does not vary."),
        ],
    )
    def test_a_file_that_is_no_space(self, tmp_path: Path, content: str | None, says: str) -> None:
        if content is not None:
            (tmp_path / "space.toml").write_text(content)
        with pytest.raises(SettingsError) as caught:
            load_space(tmp_path / "space.toml")
        assert says in str(caught.value)


class TestWhatASettingMayBe:
    def test_ranges_take_the_settings_type(self) -> None:
        wide = space("model.two_tower.learned_temperature", low=1, high=20).on(BASE)
        assert wide.ranges == {("model", "two_tower", "learned_temperature"): Range(1.0, 20.0)}
        counted = space("training.schedule.epochs", low=2, high=8, step=2).on(BASE)
        assert counted.ranges == {("training", "schedule", "epochs"): Range(2, 8, step=2)}
        assert [values.whole for values in (*wide.ranges.values(), *counted.ranges.values())] == [False, True]  # type: ignore[union-attr]

    def test_choices_are_what_the_setting_holds(self) -> None:
        found = space("model.two_tower.learned_temperature", choices=[1, 2.5]).on(BASE)
        assert found.ranges[("model", "two_tower", "learned_temperature")] == Choices((1.0, 2.5))

    @given(low=st.integers(1, 50), steps=st.integers(1, 20), step=st.integers(1, 9), value=st.integers(-10, 300))
    def test_a_stepped_range_holds_its_own_numbers_alone(self, low: int, steps: int, step: int, value: int) -> None:
        numbers = range(low, low + steps * step + 1, step)
        assert Range(low, numbers[-1], step=step).holds(value) == (value in numbers)


class TestWhatAnExperimentBecomes:
    def test_values_go_where_they_belong(self) -> None:
        both = Space.read(
            {**DEPTHS, "features": {"query": {"history_sku": {"width": {"low": 8, "high": 32}}}}}, "space.toml"
        ).on(BASE)
        found = both.apply(
            BASE, {("model", "two_tower", "layers"): (8,), ("features", "query", "history_sku", "width"): 24}
        )
        assert found.model.chosen.layers == (8,)
        assert found.model.chosen.dropout == 0.25
        assert found.features.query == (Lookup("user", width=8), History("sku", width=24))
        assert found.features.item == BASE.features.item

    def test_a_kind_of_the_experiment_keeps_its_other_settings(self) -> None:
        kinds = Space.read(KINDS, "space.toml").on(BASE)
        rate = ("training", "optimizer", "adamw", "learning_rate")
        found = kinds.apply(BASE, {("training", "optimizer"): "adamw", rate: 0.02})
        assert found.training.optimizer.chosen == AdamW(0.02, weight_decay=0.5)
        assert kinds.apply(BASE, {("training", "optimizer"): "lazy_adam"}).training.optimizer.chosen == LazyAdam()

    def test_a_single_kind_replaces_the_experiments(self) -> None:
        found = space("training.loss.full_softmax.temperature", low=0.1, high=1.0)
        drawn: dict[Place, Any] = {("training", "loss", "full_softmax", "temperature"): 0.5}
        assert found.apply(BASE, drawn).training.loss.chosen == FullSoftmax(temperature=0.5)
        assert found.searched_kinds == {}

    def test_only_settings_of_the_chosen_kind_count(self) -> None:
        kinds = Space.read(KINDS | DEPTHS, "space.toml")
        assert kinds.searched_kinds == {("training", "optimizer"): ("adamw", "adagrad", "lazy_adam")}
        depth = ("model", "two_tower", "layers")
        for kind, counts in {"adamw": 1, "adagrad": 1, "lazy_adam": 0}.items():
            rate = ("training", "optimizer", kind, "learning_rate")
            assert list(kinds.active({("training", "optimizer"): kind})) == [rate] * counts + [depth]

    def test_what_it_has_of_the_space_is_found_in_it(self) -> None:
        kinds = Space.read(KINDS | DEPTHS, "space.toml").on(BASE)
        assert kinds.drawn_from(BASE) == {
            ("training", "optimizer"): "adamw",
            ("training", "optimizer", "adamw", "learning_rate"): 0.01,
            ("model", "two_tower", "layers"): (16, 8),
        }
        other = BASE.override(
            {"model": {"two_tower": {"layers": [9]}}, "training": {"optimizer": {"rowwise_adagrad": {}}}}
        )
        assert Space.read(KINDS | DEPTHS, "space.toml").on(other).drawn_from(other) == {}


def test_a_space_comes_back_whole_from_its_file(tmp_path: Path) -> None:
    written = Space.read(
        {**KINDS, **DEPTHS, "features": {"item": {"text_a b": {"width": {"low": 8, "high": 32, "step": 8}}}}}, "s"
    )
    (tmp_path / "space.toml").write_text(written.to_toml())
    again = load_space(tmp_path / "space.toml")
    assert (again.ranges, again.kinds) == (written.ranges, written.kinds)
    assert tomllib.loads(written.to_toml()) == written.tables()
    assert 'learning_rate = { low = 0.001, high = 0.1, log = true }\n' in written.to_toml()  # fmt: skip
    assert '[features.item."text_a b"]\n' in written.to_toml()


class TestTheDefault:
    def test_holds_the_recipe_as_it_is(self) -> None:
        recipe = load_preset("movielens-100k")
        found = default_space(recipe).on(recipe)
        assert found.names == [
            "model.two_tower.layers",
            "model.two_tower.activation",
            "model.two_tower.dropout",
            "training.loss.full_softmax.temperature",
            "training.loss.full_softmax.remove_known_positives",
            "training.optimizer.adamw.learning_rate",
            "training.optimizer.adamw.weight_decay",
        ]
        assert found.drawn_from(recipe) == {place: value_at(recipe, place) for place in found.ranges}

    @pytest.mark.parametrize(
        "loss", ["in_batch_softmax", "full_softmax", "bpr", "pairwise_hinge", "cosine_contrastive"]
    )
    @pytest.mark.parametrize("optimizer", ["adagrad", "rowwise_adagrad", "lazy_adam", "adamw"])
    def test_fits_every_kind_of_loss_and_optimiser(self, loss: str, optimizer: str) -> None:
        training: dict[str, Any] = {"loss": {loss: {}}, "optimizer": {optimizer: {}}}
        experiment = BASE.override({"model": {"two_tower": {"normalize": True}}, "training": training})
        found = default_space(experiment).on(experiment)
        assert found.kinds[("training", "loss")] == (loss,)
        assert f"training.optimizer.{optimizer}.learning_rate" in found.names
        assert found.searched_kinds == {}
