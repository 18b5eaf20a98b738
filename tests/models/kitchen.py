"""One table with every form of feature on both sides."""

import polars as pl

import shortlist as sl
from shortlist.features.history import Pooling

TITLES = ["Tea for Two", "", "Two Jams", None, "tea tea two, jam!", "Jam"]
PICTURES = [[0.5, -1.0, 2.0], None, [1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [3.0, 4.0, -5.0], [1.0, 1.0, 1.0]]
TAGS = [["hot", "dry"], [], ["sweet"], None, ["hot"], ["sweet", "hot", "wet"]]


def kitchen_data() -> sl.Dataset:
    """Thirty events of ten users over six items; names of columns hold dots, spaces and letters beyond ASCII."""
    return sl.Dataset(
        {
            "user.id": [f"u{n % 10}" for n in range(30)],
            "sku": [n % 6 for n in range(30)],
            "at": [1.5 * n for n in range(30)],
        },
        users={"user.id": [f"u{n}" for n in range(10)], "city of birth": [None, "Bath", "York", "Ely", "Bath"] * 2},
        items=pl.DataFrame(
            {
                "sku": range(6),
                "title": TITLES,
                "tags": TAGS,
                "größe": [1.0, 2.0, None, 4.0, 8.0, 16.0],
                "picture": PICTURES,
            },
            schema_overrides={"tags": pl.List(pl.String), "picture": pl.Array(pl.Float32, 3)},
        ),
        query_id="user.id",
        item_id="sku",
    )


def fit_kitchen_features(data: sl.Dataset, *, pooling: Pooling | None = None) -> sl.Features:
    """Features of every kind of column; with a `pooling` also a history."""
    histories = [] if pooling is None else [sl.History("sku", width=3, pooling=pooling, half_life=2.0)]
    return sl.fit_features(
        [
            sl.Lookup("user.id", width=5),
            sl.Hash("city of birth", num_rows=7, width=3),
            sl.Bucketize("at", boundaries=4, width=2),
            sl.Normalize("at"),
            sl.Cross(("user.id", "city of birth"), width=2),
            *histories,
        ],
        [
            sl.Lookup("sku", width=4),
            sl.Text("title", width=6),
            sl.Categories("tags", width=3),
            sl.Normalize("größe"),
            sl.Vectors("picture", scaling="unit"),
        ],
        on=data,
    )
