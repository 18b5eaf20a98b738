"""The training loop: batches gathered by row, optimisers, history, early stopping."""

from shortlist.training.batches import Batch, Events, Tables
from shortlist.training.checkpoint import Checkpoints
from shortlist.training.device import pick_device
from shortlist.training.frequency import StreamingFrequency
from shortlist.training.loop import Epoch, History, fit
from shortlist.training.memory import ItemMemory
from shortlist.training.negatives import KnownPositives, NegativeSampler, ShownItems
from shortlist.training.optimizers import KerasAdagrad, LazyAdam, make_optimizer
from shortlist.training.progress import ProgressBar
from shortlist.training.rates import PairRates

__all__ = [
    "Batch",
    "Checkpoints",
    "Epoch",
    "Events",
    "History",
    "ItemMemory",
    "KerasAdagrad",
    "KnownPositives",
    "LazyAdam",
    "NegativeSampler",
    "PairRates",
    "ProgressBar",
    "ShownItems",
    "StreamingFrequency",
    "Tables",
    "fit",
    "make_optimizer",
    "pick_device",
]
