"""MLflow: a run with its settings, its numbers and the verdict."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from shortlist.errors import TrackingError, require_extra
from shortlist.tracking.tracker import Tracker

__all__ = ["MLflow"]

# Names the folder of a run among MLflow's tags.
FOLDER_TAG = "shortlist.folder"
# The longest value of a parameter that MLflow takes.
MAX_VALUE = 6_000


class MLflow(Tracker):
    """A run of MLflow, in the experiment named by MLFLOW_EXPERIMENT_NAME, or in "shortlist".

    MLFLOW_TRACKING_URI says where; without it MLflow keeps a database in the working folder. `settings` become
    parameters, their tables' keys joined by dots. `folder` is the run's own: where a run of the same folder was cut
    off, MLflow's is closed as killed, for a resumed training tells of its earlier epochs again.

    Raises `MissingExtraError` without the extra `track`, and `TrackingError` where MLflow cannot be reached.
    """

    def __init__(self, settings: Mapping[str, Any], folder: str | Path) -> None:
        require_extra("track", ["mlflow", "sqlalchemy", "alembic"])
        import mlflow

        super().__init__()
        self.failures = (mlflow.MlflowException, OSError)  # the errors of requests are of OSError
        self._client = mlflow.MlflowClient()
        self._uri = mlflow.get_tracking_uri()
        path = Path(folder).absolute()
        try:
            name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "shortlist")
            known = self._client.get_experiment_by_name(name)
            experiment = known.experiment_id if known else self._client.create_experiment(name)
            for run in self._client.search_runs([experiment], "attributes.status = 'RUNNING'"):
                if run.data.tags.get(FOLDER_TAG) == str(path):
                    self._client.set_terminated(run.info.run_id, "KILLED")
            run = self._client.create_run(experiment, run_name=path.name, tags={FOLDER_TAG: str(path)})
            self._run: str = run.info.run_id
            for key, value in _flat(settings):
                self._client.log_param(self._run, key, value[:MAX_VALUE])
        except self.failures as error:
            raise TrackingError(
                f"MLflow at {self._uri} did not take the run: {error} Set MLFLOW_TRACKING_URI to where it is, or train "
                "without it."
            ) from error

    def _log(self, values: Mapping[str, float], epoch: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self._client.log_batch(self._run, [Metric(name, value, now, epoch) for name, value in values.items()])

    def _judge(self, verdict: str) -> None:
        self._client.set_tag(self._run, "shortlist.verdict", verdict)

    def _end(self, failure: type[BaseException] | None) -> None:
        status = "FINISHED" if failure is None else "FAILED" if issubclass(failure, Exception) else "KILLED"
        self._client.set_terminated(self._run, status)


def _flat(tables: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Nested tables as dotted names with their values as text.

    >>> list(_flat({"model": {"two_tower": {"layers": [64, 32], "activation": "relu"}}}))
    [('model.two_tower.layers', '[64, 32]'), ('model.two_tower.activation', 'relu')]
    """
    for key, value in tables.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value if isinstance(value, str) else json.dumps(value)
