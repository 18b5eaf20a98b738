"""Are films found that training never saw, by their genres, year and words of their titles alone?

MovieLens 100K, a tenth of the films held out with all their events: each such event asks for its film among all 1,682,
those that training knows included. Top-100 accuracy beside the baselines, of which content-kNN alone knows new films.
What the model reads was chosen on another tenth of the films (`--choose` measures it there), and so is each seed's
epoch; then it trains anew with these and the test is asked once. Prints one JSON row.

    scripts/bench movielens_cold  # some minutes on two cores
"""

import dataclasses

import shortlist as sl
from seeds_beside import seeds_beside_baselines
from shortlist.features import AnyFeature

TEST, VALIDATION = 0.1, 0.1  # of the films
EPOCHS = 12


def train(split: sl.Split, seed: int, refit: bool) -> sl.Run:
    """Films by what is said of them, and users by the films that they saw, as the item tower reads these.

    Half of the films' ids are dropped, so that what is said of a film does for one whose id says nothing.
    """
    query: list[AnyFeature] = [
        sl.History("item_id", shared=True, pooling="sqrt", dropout=0.5, forget=0.2),
        sl.Bucketize("age", boundaries=10, width=8, method="quantiles"),
        sl.Lookup("gender", width=4),
        sl.Lookup("occupation", width=8),
    ]
    item: list[AnyFeature] = [
        sl.Lookup("item_id", width=64, dropout=0.5),
        sl.Text("title", width=32, pooling="sqrt", dropout=0.3),
        sl.Categories("genres", width=32, pooling="sqrt"),
        sl.Bucketize("year", boundaries=20, width=16, method="quantiles"),
    ]
    features = sl.fit_features(query, item, on=split.train)
    training = sl.Training(epochs=EPOCHS, batch_size=1_024, decay="cosine", patience=EPOCHS, refit=refit, seed=seed)
    return sl.train(
        sl.TwoTower(features, layers=[64], normalize=True, learned_temperature=0.1),
        split,
        loss=sl.FullSoftmax(untouched_negatives=False),
        optimizer=sl.AdamW(0.003, weight_decay=0.1),
        training=training,
        protocol=dataclasses.replace(sl.load_preset("movielens-100k").evaluation.protocol, seen="excluded"),
        progress=False,
    )


if __name__ == "__main__":
    seeds_beside_baselines(
        "movielens_cold",
        __doc__,
        sl.split_cold_items(sl.datasets.movielens_100k(), test=TEST, validation=VALIDATION, seed=0),
        train,
    )
