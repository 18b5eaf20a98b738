import pytest

import shortlist as sl
from shortlist.data.splits import Split
from shortlist.errors import BundleError, SettingsError


def _model(split: Split) -> sl.TwoTower:
    return sl.TwoTower(sl.fit_features([sl.Lookup("user_id")], [sl.Lookup("item_id")], on=split.train), layers=[8])


def test_early_stopping_watches_the_decisive_metric_unless_told_otherwise(shop_data: sl.Dataset) -> None:
    split = sl.split_random(shop_data, test=0.2, validation=0.2, seed=1)
    run = sl.train(
        _model(split), split, training=sl.Training(epochs=6, patience=2), protocol=sl.Protocol(ks=(5,)), progress=False
    )
    assert run.training.metric == "top_5_accuracy"
    curve = run.history.curve("top_5_accuracy/full/seen_excluded/ties_expected")
    assert curve[run.history.best_epoch] == max(curve.values())


def test_watching_a_part_that_the_split_lacks_is_refused(shop_split: Split) -> None:
    with pytest.raises(SettingsError, match=r"watches the validation events, but the split has none"):
        sl.train(_model(shop_split), shop_split, progress=False)


def test_the_same_seed_gives_the_same_run(shop_run: sl.Run, shop_split: Split) -> None:
    again = sl.train(
        sl.TwoTower.of(shop_run.model.features, shop_run.model.settings),
        shop_split,
        loss=shop_run.loss,
        optimizer=shop_run.optimizer,
        training=shop_run.training,
        protocol=shop_run.protocol,
        progress=False,
    )
    assert again.evaluate().metrics == shop_run.evaluate().metrics
    assert (again.item_vectors() == shop_run.item_vectors()).all()


def test_progress_hears_of_every_epoch(shop_split: Split) -> None:
    heard: list[int] = []
    sl.train(
        _model(shop_split),
        shop_split,
        training=sl.Training(epochs=3, watch="nothing"),
        progress=lambda epoch: heard.append(epoch.number),
    )
    assert heard == [1, 2, 3]


def test_a_run_refuses_a_taken_path_before_it_exports(shop_run: sl.Run, tmp_path: object) -> None:
    with pytest.raises(BundleError, match="is there already, and a bundle is never written over"):
        shop_run.save(str(tmp_path))
