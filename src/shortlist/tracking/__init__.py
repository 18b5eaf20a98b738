"""Telling a tracking service of a run, beside the run's own folder: MLflow and TensorBoard (the extra `track`)."""

from shortlist.tracking.mlflow import MLflow
from shortlist.tracking.tensorboard import TensorBoard
from shortlist.tracking.tracker import Tracker

__all__ = ["MLflow", "TensorBoard", "Tracker"]
