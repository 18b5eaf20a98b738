"""What does a model reach on MovieLens 100K cut in time, where three of four test users are new, beside the baselines?

The last fifth in time is the test, histories and seen films frozen at the cut. What the model reads was chosen on the
last tenth of the training events; each seed's epoch is chosen on them too, then the model trains anew on all training
events and the test is asked once: top-100 accuracy, seen films excluded. Prints one JSON row.

    scripts/bench movielens_time  # some minutes on two cores
"""

import dataclasses

import shortlist as sl
from seeds_beside import seeds_beside_baselines

TEST, VALIDATION = 0.2, 0.08  # of all events
EPOCHS = 8


def train(split: sl.Split, seed: int, refit: bool) -> sl.Run:
    """What gender and age like, and when: hardly anybody of the test is known by anything else.

    A test event comes after all of training and falls into the last fifth of its events.
    """
    times = sl.Bucketize("timestamp", boundaries=5, width=8, method="quantiles")
    features = sl.fit_features(
        [sl.Lookup("gender", width=4, dropout=0.3), sl.Normalize("age"), times],
        [sl.Lookup("item_id", width=64)],
        on=split.train,
    )
    training = sl.Training(epochs=EPOCHS, batch_size=1_024, decay="cosine", patience=EPOCHS, refit=refit, seed=seed)
    return sl.train(
        sl.TwoTower(features, layers=[32, 16], activation="gelu", item_bias=True),
        split,
        loss=sl.FullSoftmax(untouched_negatives=False),
        optimizer=sl.AdamW(0.01, weight_decay=0.0),
        training=training,
        protocol=dataclasses.replace(sl.load_preset("movielens-100k").evaluation.protocol, seen="excluded"),
        progress=False,
    )


if __name__ == "__main__":
    seeds_beside_baselines(
        "movielens_time",
        __doc__,
        sl.split_by_time(sl.datasets.movielens_100k(), test=TEST, validation=VALIDATION),
        train,
    )
