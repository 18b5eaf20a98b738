"""The training loop: batches gathered by row, optimisers, history, early stopping."""

from shortlist.training.batches import Batch, Events, Tables
from shortlist.training.checkpoint import Checkpoints
from shortlist.training.device import pick_device
from shortlist.training.loop import Epoch, History, fit
from shortlist.training.negatives import KnownPositives, NegativeSampler
from shortlist.training.optimizers import KerasAdagrad, LazyAdam, make_optimizer
from shortlist.training.progress import ProgressBar

__all__ = [
    "Batch",
    "Checkpoints",
    "Epoch",
    "Events",
    "History",
    "KerasAdagrad",
    "KnownPositives",
    "LazyAdam",
    "NegativeSampler",
    "ProgressBar",
    "Tables",
    "fit",
    "make_optimizer",
    "pick_device",
]
