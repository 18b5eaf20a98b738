import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from baseline_worlds import binary, everyone, random_world
from scorer_conformance import ScorerConformance

import shortlist as sl
from shortlist.baselines import BASELINES, fit_content_knn
from shortlist.baselines.content_knn import content_columns


class TestConformance(ScorerConformance):
    name = "content_knn"
    settings = {"rarity": 1.0}  # noqa: RUF012


def world(items: dict[str, Any], events: dict[str, list[int]] | None = None) -> sl.Dataset:
    return sl.Dataset(events or {"user": [1, 2, 2], "item": [7, 7, 8]}, items=items, query_id="user", item_id="item")


TITLES = {"item": [7, 8, 9], "title": ["War, snow", "WAR", "love"]}


def test_likeness_is_the_cosine_of_words_by_their_rarity() -> None:
    # Of 3 items 2 have war and 1 has snow: the words weigh ln(3/2) and ln 3.
    war, snow = math.log(3 / 2), math.log(3)
    alike = war / math.hypot(war, snow)
    scores = fit_content_knn(world(TITLES), rarity=1)(np.array([0, 1]))
    np.testing.assert_allclose(scores, [[1, alike, 0], [(1 + alike) / 2, (1 + alike) / 2, 0]], rtol=1e-6)


def test_without_rarity_all_words_weigh_the_same() -> None:
    scores = fit_content_knn(world(TITLES), rarity=0)(np.array([0]))
    np.testing.assert_allclose(scores, [[1, 1 / math.sqrt(2), 0]], rtol=1e-6)


def test_a_word_that_stands_twice_counts_once_and_one_of_another_column_is_another() -> None:
    items = {"item": [7, 8, 9], "title": ["war war snow", "war snow", "love"], "genre": ["love", "love", "war"]}
    np.testing.assert_allclose(fit_content_knn(world(items))(np.array([0])), [[1, 1, 0]], rtol=1e-6, atol=1e-7)


def test_lists_and_texts_with_bars_give_categories() -> None:
    lists = {"item": [7, 8, 9], "genres": [["science fiction"], ["fiction"], ["science fiction"]]}
    bars = {"item": [7, 8, 9], "genres": ["science fiction|war", "fiction|war", "science fiction"]}
    assert fit_content_knn(world(lists))(np.array([0])).tolist() == [[1, 0, 1]]
    score = fit_content_knn(world(bars), rarity=0)(np.array([0]))[0]
    np.testing.assert_allclose(score, [1, 1 / 2, 1 / math.sqrt(2)], rtol=1e-6)


def test_items_that_no_event_touched_are_ranked_by_what_is_said_of_them() -> None:
    items = {"item": [7, 8, 9, 10], "title": ["war", "love", "war", "songs"]}
    scores = fit_content_knn(world(items, {"user": [1], "item": [7]}))(np.array([0]))
    assert scores.tolist() == [[1, 0, 1, 0]]


def test_an_item_of_which_nothing_is_said_is_like_no_other() -> None:
    items = {"item": [7, 8, 9], "title": ["war", None, ""]}
    scores = fit_content_knn(world(items))(np.array([0, 1]))
    assert scores.tolist() == [[1, 0, 0], [0.5, 0, 0]]


def test_a_word_that_every_item_has_says_nothing() -> None:
    items = {"item": [7, 8, 9], "title": ["the war", "the love", "the"]}
    assert fit_content_knn(world(items))(np.array([0])).tolist() == [[1, 0, 0]]


@pytest.mark.parametrize("rarity", [0.0, 0.5, 2.0])
def test_scores_are_those_of_the_plain_formula(rarity: float) -> None:
    for seed in range(10):
        data = random_world(num_users=15, num_items=11, seed=seed)
        said = [
            {f"w:{word}" for word in title.split()} | {f"g:{genre}" for genre in genres}
            for title, genres in data.items.select("title", "genres").iter_rows()
        ]
        tokens = sorted(set().union(*said))
        having = [sum(token in one for one in said) for token in tokens]
        vectors = np.array(
            [
                [math.log(len(said) / n) ** rarity * (token in one) for token, n in zip(tokens, having, strict=True)]
                for one in said
            ]
        )
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-300)
        history = binary(data)
        known = history.any(axis=1)
        expected = history[known] @ vectors @ vectors.T / history[known].sum(axis=1, keepdims=True)
        scores = fit_content_knn(data, rarity=rarity)(everyone(data))
        np.testing.assert_allclose(scores[known], expected, rtol=1e-6, atol=1e-7)


def test_ids_numbers_times_and_empty_columns_say_nothing() -> None:
    items = pl.DataFrame(
        {
            "item": ["7", "8"],
            "title": ["war", "love"],
            "tags": [[1, 2], [2]],
            "kind": pl.Series(["a", "b"], dtype=pl.Categorical),
            "free": [True, False],
            "codes": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])),
            "year": [1999, 2000],
            "price": [1.5, 2.5],
            "vector": [[0.5], [1.5]],
            "released": pl.Series([0, 1], dtype=pl.Datetime("us")),
            "nothing": pl.Series([None, None], dtype=pl.String),
        }
    )
    data = sl.Dataset({"user": [1], "item": ["7"]}, items=items, query_id="user", item_id="item", label="title")
    assert content_columns(data) == ["title", "tags", "kind", "free", "codes"]
    assert fit_content_knn(data)(np.array([0])).shape == (1, 2)


def test_a_catalogue_of_ids_is_refused() -> None:
    data = world({"item": [7, 8, 9], "year": [1999, 2000, 2001]})
    expected = "needs a column of texts, categories or lists in the items table; there is only item, year"
    assert BASELINES["content_knn"].why_not(data) == expected
    with pytest.raises(sl.errors.SettingsError, match="Content-kNN needs a column of texts"):
        fit_content_knn(data)


def test_settings_are_refused_by_name() -> None:
    with pytest.raises(sl.errors.SettingsError, match="rarity should not be negative, but it is -1"):
        fit_content_knn(world(TITLES), rarity=-1)
