"""What a bundle holds comes back from disk as it was, and answers as it did."""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import shortlist as sl
from shortlist.bundle import Bundle, SavedIndex, save_bundle
from shortlist.data.seen import Seen

WORDS = st.text(max_size=8)
IDS = st.one_of(
    st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=9, unique=True),
    st.lists(WORDS | st.sampled_from(["7", "07", "\u2028", "a\nb"]), min_size=1, max_size=9, unique=True),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=8,
)
AGES: st.SearchStrategy[Any] = st.sampled_from(
    [pl.Int64, pl.UInt8, pl.Float64, pl.Datetime("ns", "Asia/Tokyo"), pl.Datetime("ms"), pl.Date]
)
RECORDS = st.dictionaries(WORDS, JSON, max_size=4)


@pytest.fixture(scope="module")
def shop(shop_bundle: Path) -> Bundle:
    return sl.load_bundle(shop_bundle)


@st.composite
def bundles(draw: st.DrawFn, shop: Bundle) -> Bundle:
    """The shop's towers with other users, other items and other records."""
    user_ids, item_ids = draw(IDS), draw(IDS)
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    touched = generator.random((len(user_ids), len(item_ids))) < draw(st.sampled_from([0, 0.5]))
    seen = Seen(np.append(0, np.cumsum(touched.sum(axis=1))), np.nonzero(touched)[1].copy())
    cities = st.lists(st.none() | WORDS, min_size=len(user_ids), max_size=len(user_ids))
    return dataclasses.replace(
        shop,
        weights=shop.weights.read_bytes() if isinstance(shop.weights, Path) else shop.weights,
        items=pl.DataFrame(
            {
                "id": item_ids,
                "label": [draw(WORDS) for _ in item_ids],
                "popularity": generator.integers(9, size=len(item_ids)).astype(np.float32),
                "retired": generator.random(len(item_ids)) < 0.2,
            }
        ),
        item_columns=pl.DataFrame(
            {
                "item_id": item_ids,
                "words": [draw(st.none() | st.lists(WORDS, max_size=2)) for _ in item_ids],
                "size": pl.Series(generator.integers(99, size=len(item_ids)), dtype=draw(AGES)),
            },
            schema_overrides={"words": pl.List(pl.String)},
        ),
        index=draw(st.none() | st.builds(SavedIndex, st.just({"kind": "exact", "precision": "float32"}), RECORDS)),
        users=pl.DataFrame(
            {
                "user_id": user_ids,
                "age": pl.Series(generator.integers(99, size=len(user_ids)), dtype=draw(AGES)),
                "city": pl.Series(draw(cities), dtype=draw(st.sampled_from([pl.String, pl.Categorical]))),
            }
        ),
        user_events=generator.integers(3, size=len(user_ids)),
        item_vectors=generator.normal(size=(len(item_ids), shop.item_vectors.shape[1])).astype(np.float32),
        seen=draw(st.sampled_from([None, seen])),
        data={**shop.data, "notes": draw(st.lists(WORDS, max_size=2))},
        history=draw(st.lists(RECORDS, max_size=3)),
        evaluation=draw(st.none() | RECORDS),
    )


def parts_of(bundle: Bundle) -> dict[str, Any]:
    """A bundle's fields in forms that compare with ==, types included."""

    def plain(value: Any) -> Any:
        match value:
            case np.ndarray():
                return value.dtype, value.shape, value.tolist()
            case pl.DataFrame():
                return value.schema, value.to_dicts()
            case Seen(offsets, item_rows):
                return plain(offsets), plain(item_rows)
            case sl.Features():
                return value.to_json()
            case Path():
                return value.read_bytes()
        return value

    return {field.name: plain(getattr(bundle, field.name)) for field in dataclasses.fields(bundle)}


@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_a_saved_bundle_is_loaded_as_it_was_and_answers_as_it_did(shop: Bundle, data: st.DataObject) -> None:
    bundle = data.draw(bundles(shop))
    with tempfile.TemporaryDirectory() as folder:
        loaded = sl.load_bundle(save_bundle(bundle, Path(folder) / "bundle"))
        assert None not in (loaded.version, loaded.index_version)
        loaded = dataclasses.replace(loaded, version=bundle.version, index_version=bundle.index_version)
        assert parts_of(loaded) == parts_of(bundle)
        one, other = sl.Recommender(bundle), sl.Recommender(loaded)
        for user in [*bundle.users["user_id"].to_list(), "nobody"]:
            for query in ({"user_id": user}, {"user_id": user, "time": 3}):
                assert one.recommend(query, 5) == other.recommend(query, 5)
        for item in bundle.items["id"].to_list():
            assert one.similar(item, 5) == other.similar(item, 5)
