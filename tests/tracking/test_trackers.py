"""A run told to real services: a database of MLflow, a folder of TensorBoard."""

from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import shortlist as sl
from shortlist.errors import MissingExtraError, TrackingError
from shortlist.tracking import MLflow, TensorBoard, Tracker
from shortlist.training import Epoch

NAME = "top_5_accuracy/full/seen_excluded/ties_expected"
EPOCHS = [Epoch(1, 4.0, 0.5), Epoch(2, 3.0, 0.25, 0.125, {NAME: 0.5})]
# The database layer that MLflow stands on warns of its own plans.
pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:sqlalchemy", "ignore::DeprecationWarning")


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return MlflowClient(uri)


def runs_of(client: MlflowClient, name: str = "shortlist") -> list[Any]:
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"]))


def scalars(path: Path) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(path))
    events.Reload()
    return {
        name: [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors(name)]
        for name in events.Tags()["tensors"]
    }


def tell(tracker: Tracker) -> None:
    with tracker:
        for epoch in EPOCHS:
            tracker.epoch(epoch)


def test_mlflow_holds_settings_epochs_and_result(client: MlflowClient, shop_run: sl.Run, tmp_path: Path) -> None:
    assessment = shop_run.evaluate()
    with MLflow({"model": {"two_tower": {"layers": [8], "activation": "relu"}}}, "films") as tracker:
        for epoch in EPOCHS:
            tracker.epoch(epoch)
        tracker.result(assessment)
    (run,) = runs_of(client)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "films")
    assert run.data.params == {"model.two_tower.layers": "[8]", "model.two_tower.activation": "relu"}
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 4.0), (2, 3.0)]
    assert run.data.metrics[NAME] == 0.5
    for name, value in assessment.metrics.items():
        assert run.data.metrics[f"test/{name}"] == value
        assert run.data.metrics[f"popularity/{name}"] == assessment.baselines["popularity"].metrics[name]
    assert run.data.tags["shortlist.verdict"] == str(assessment.verdict)
    assert run.data.tags["shortlist.folder"] == str(tmp_path / "films")


@pytest.mark.parametrize(("failure", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_mlflow_is_told_how_a_run_ended(client: MlflowClient, failure: type[BaseException], status: str) -> None:
    with pytest.raises(failure), MLflow({}, "films"):
        raise failure
    assert [run.info.status for run in runs_of(client)] == [status]


def test_a_resumed_run_closes_the_one_that_was_cut_off_and_no_other(client: MlflowClient) -> None:
    for folder in ("it's mine", "other"):
        MLflow({}, folder).epoch(EPOCHS[0])  # killed before its end
    tell(MLflow({}, "it's mine"))
    found = [(run.info.run_name, run.info.status) for run in runs_of(client)]
    assert found == [("it's mine", "KILLED"), ("other", "RUNNING"), ("it's mine", "FINISHED")]


def test_mlflow_takes_the_experiment_from_its_variable_and_settings_of_any_length(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "films")
    tell(MLflow({"features": {"query": ["x" * 10_000]}}, "first"))
    (run,) = runs_of(client, "films")
    assert len(run.data.params["features.query"]) == 6_000


def test_an_mlflow_that_cannot_be_reached_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrackingError, match=r"MLflow at http://127\.0\.0\.1:9 did not take the run: .* Set MLFLOW_TRA"):
        MLflow({}, tmp_path)


def test_tensorboard_holds_epochs_and_result(shop_run: sl.Run, tmp_path: Path) -> None:
    assessment = shop_run.evaluate()
    with TensorBoard(tmp_path / "films" / "tensorboard") as tracker:
        for epoch in EPOCHS:
            tracker.epoch(epoch)
        tracker.result(assessment)
    found = scalars(tmp_path / "films" / "tensorboard")
    assert found["loss"] == [(1, 4.0), (2, 3.0)]
    assert found[NAME] == [(2, 0.5)]
    ((step, value),) = found[f"test/{NAME}"]
    assert step == 2
    assert value == pytest.approx(assessment.metrics[NAME], rel=1e-6)


def test_tensorboard_starts_a_resumed_run_anew(tmp_path: Path) -> None:
    TensorBoard(tmp_path / "tb").epoch(EPOCHS[0])  # killed before its end
    tell(TensorBoard(tmp_path / "tb"))
    assert scalars(tmp_path / "tb")["loss"] == [(1, 4.0), (2, 3.0)]


@pytest.mark.parametrize("make", [lambda path: MLflow({}, path), TensorBoard])
def test_a_missing_extra_names_the_install_command(make: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'shortlist\[track\]'"):
        make(tmp_path)


def test_a_service_that_fails_in_the_middle_is_given_up_with_one_warning(
    client: MlflowClient, monkeypatch: pytest.MonkeyPatch, shop_run: sl.Run
) -> None:
    from mlflow import MlflowException

    calls = []

    def fail(*_: object) -> None:
        calls.append(1)
        raise MlflowException("the server is gone")

    with MLflow({}, "films") as tracker:
        tracker.epoch(EPOCHS[0])
        monkeypatch.setattr(MlflowClient, "log_batch", fail)
        with pytest.warns(
            UserWarning, match=r"MLflow hears no more of this run, which goes on without it: the server is"
        ):
            tracker.epoch(EPOCHS[1])
        tracker.result(shop_run.evaluate())  # not told any more, and no further warning
    assert len(calls) == 1
