"""Texts by a model of sentence-transformers: a small one, made here and saved, for there is none to download."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from feature_conformance import FeatureConformance
from hypothesis import strategies as st

import shortlist as sl
from shortlist.errors import DataError, SettingsError
from shortlist.features import Numbers, SentenceEncoder
from shortlist.settings import Experiment

WORDS = {"[UNK]": [0.0, 0.0], "tea": [1.0, 0.0], "coffee": [0.9, 0.1], "bolt": [0.0, 1.0], "screw": [0.1, 0.9]}
TEXTS = st.none() | st.lists(st.sampled_from([*WORDS, "rye"]), max_size=3).map(" ".join)


def save_model(folder: Path, vectors: dict[str, list[float]]) -> Path:
    """A model whose sentence is the mean of its words' vectors."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(WordLevel({word: row for row, word in enumerate(vectors)}, unk_token="[UNK]"))  # noqa: S106
    tokenizer.pre_tokenizer = Whitespace()
    embedding = StaticEmbedding(tokenizer, embedding_weights=np.array(list(vectors.values()), np.float32))
    SentenceTransformer(modules=[embedding], device="cpu").save(str(folder))
    return folder


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache, where vectors are kept, in a folder of its own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "tiny", WORDS)


class TestSentenceEncoder(FeatureConformance):
    training = pl.Series("x", ["tea", "bolt screw", None])
    unseen, missing = "rye", [0.0, 0.0]
    values = TEXTS
    wrong = (pl.Series([1.5]), pl.Series([["tea"]]))
    no_width_text = "SentenceEncoder: width is not a known key"

    @pytest.fixture(autouse=True)
    def _choose(self, model: Path) -> None:
        type(self).choice = SentenceEncoder("x", model=str(model))


class TestStandardSentenceEncoder(TestSentenceEncoder):
    @pytest.fixture(autouse=True)
    def _choose(self, model: Path) -> None:
        type(self).choice = SentenceEncoder("x", model=str(model), scaling="standardize")


def encoded(choice: SentenceEncoder, training: list[Any], values: list[Any]) -> Any:
    numbers = choice.fit(pl.Series(training)).encode(pl.Series(values))
    assert isinstance(numbers, Numbers)
    return numbers.values


def test_a_text_is_what_the_model_makes_of_it(model: Path) -> None:
    found = encoded(SentenceEncoder("x", str(model)), ["tea"], ["tea bolt", "coffee", "coffee", "", None])
    np.testing.assert_allclose(found, [[0.5, 0.5], [0.9, 0.1], [0.9, 0.1], [0.0, 0.0], [0.0, 0.0]], rtol=1e-6)


def test_it_may_be_scaled_to_length_one_or_by_training(model: Path) -> None:
    unit = encoded(SentenceEncoder("x", str(model), scaling="unit"), ["tea"], ["tea bolt"])
    np.testing.assert_allclose(unit, [[0.5**0.5, 0.5**0.5]], rtol=1e-6)
    # Both words of training lie one deviation from their mean, [0.5, 0.5].
    standard = encoded(SentenceEncoder("x", str(model), scaling="standardize"), ["tea", "bolt"], ["tea", None])
    np.testing.assert_allclose(standard, [[1, -1], [0, 0]], atol=1e-6)


def test_vectors_that_are_kept_need_no_model(model: Path, tmp_path: Path) -> None:
    saved = SentenceEncoder("x", str(save_model(tmp_path / "kept", {**WORDS, "pin": [3.0, 4.0]})))
    state = saved.fit(pl.Series(["pin", "tea"])).state()
    moved = SentenceEncoder("x", str(tmp_path / "gone" / "model")).restore(state)
    np.testing.assert_allclose(moved.encode(pl.Series(["pin"])).values, [[3, 4]])
    with pytest.raises(SettingsError, match=r"The model '.*gone.*' cannot be loaded by sentence-transformers: .* Give"):
        moved.encode(pl.Series(["pin tea"]))


def test_another_model_in_its_place_is_refused(model: Path, tmp_path: Path) -> None:
    state = SentenceEncoder("x", str(model)).fit(pl.Series(["tea"])).state()
    other = save_model(tmp_path / "other", {word: [1.0, 1.0] for word in WORDS})
    with pytest.raises(DataError, match="is not the one that this feature was fitted with, for its weights are others"):
        SentenceEncoder("x", str(other)).restore(state).encode(pl.Series(["never met"]))


def test_a_copy_of_the_model_is_the_same_model(model: Path, tmp_path: Path) -> None:
    copy = save_model(tmp_path / "copy", WORDS)
    one, other = (SentenceEncoder("x", str(folder)).fit(pl.Series(["tea"])).state() for folder in (model, copy))
    assert one == other


def test_a_model_that_makes_no_numbers_is_refused(tmp_path: Path) -> None:
    broken = save_model(tmp_path / "broken", {"[UNK]": [0.0, float("nan")]})
    with pytest.raises(DataError, match="makes NaN or infinity of the text 'tea'"):
        SentenceEncoder("x", str(broken)).fit(pl.Series(["tea"]))


def test_training_without_a_text_is_refused(model: Path) -> None:
    with pytest.raises(DataError, match="Column 'x' holds no text at all in the rows that features are fitted on"):
        SentenceEncoder("x", str(model)).fit(pl.Series([None, ""]))


def test_an_experiment_s_model_is_taken_from_the_folder_of_its_file(model: Path, tmp_path: Path) -> None:
    tables: dict[str, Any] = {
        "data": {"source": "mine"},
        "split": {"time": {}},
        "features": {"query": [{"lookup": "u"}], "item": [{"sentence_encoder": "title", "model": model.name}]},
        "model": {"two_tower": {}},
    }
    (model.parent / "experiment.toml").write_text(Experiment.read(tables, "test").to_toml())
    assert sl.load_experiment(model.parent / "experiment.toml").features.item[0] == SentenceEncoder("title", str(model))
    (tmp_path / "experiment.toml").write_text(Experiment.read(tables, "test").to_toml())
    there = sl.load_experiment(tmp_path / "experiment.toml").features.item[0]
    assert there == SentenceEncoder("title", model.name)  # no folder, so the name of a public one


@pytest.fixture(scope="module")
def bundle(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drinks and hardware; users say what they do, and touch one of both kinds."""
    titles = ["tea", "coffee", "tea coffee", "bolt", "screw", "bolt screw"]
    clicks = [{"user": user, "sku": sku + (3 if user % 2 else 0)} for user in range(20) for sku in range(3)]
    users = {"user": range(20), "says": ["bolt" if user % 2 else "tea" for user in range(20)]}
    data = sl.Dataset(
        pl.DataFrame(clicks),
        items={"sku": [*range(6), 6], "title": [*titles, "coffee coffee"]},
        users=users,
        query_id="user",
        item_id="sku",
        label="title",
    )
    split = sl.split_random(data, test=0.2, seed=1)
    text = {"model": str(model), "scaling": "unit"}
    features = sl.fit_features([SentenceEncoder("says", **text)], [SentenceEncoder("title", **text)], on=split.train)  # type: ignore[arg-type]
    run = sl.train(
        sl.TwoTower(features, layers=[4]),
        split,
        loss=sl.FullSoftmax(),
        optimizer=sl.AdamW(0.05),
        training=sl.Training(epochs=20, batch_size=16, watch="nothing", seed=1),
        progress=False,
    )
    return run.save(tmp_path_factory.mktemp("text") / "bundle")


def test_words_that_training_never_saw_find_what_they_mean(bundle: Path) -> None:
    shop = sl.Recommender.load(bundle)
    for says, wanted in (("coffee", {0, 1, 2, 6}), ("screw screw", {3, 4, 5})):
        found = shop.recommend({"says": says}, k=len(wanted))
        assert ({item.id for item in found.items}, found.query) == (wanted, "features_only")
    assert shop.recommend({"user": 99}, k=1).query == "fallback"
    assert 6 in {item.id for item in shop.similar(1, k=3).items}  # nobody ever touched it
    assert sl.bundle_health(sl.load_bundle(bundle)).figures


def test_without_the_extra_a_bundle_answers_what_needs_no_new_text(bundle: Path, cache: Path) -> None:
    code = (
        "import importlib.util as util, sys\n"
        "found = util.find_spec\n"
        "util.find_spec = lambda name, *a: None if name == 'sentence_transformers' else found(name, *a)\n"
        "import shortlist as sl\n"
        f"shop = sl.Recommender.load({str(bundle)!r})\n"
        "print(shop.recommend({'user': 3}, k=1, exclude_seen=False).items[0].id, len(shop.similar(0, k=2).items))\n"
        "try:\n    shop.recommend({'says': 'a new text'})\n"
        "except sl.errors.MissingExtraError as error:\n    print(error)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    known, missing = done.stdout.splitlines()
    assert int(known.split()[0]) in {3, 4, 5}
    assert missing == (
        "This needs sentence_transformers, which is not installed. Install it with: pip install 'shortlist[text]'"
    )
