"""Optimisers, made from what the user chose; all but AdamW move only the rows of a table that a batch used."""

from shortlist.training.optimizers.adagrad import KerasAdagrad
from shortlist.training.optimizers.base import Optimizer
from shortlist.training.optimizers.lazy_adam import LazyAdam
from shortlist.training.optimizers.make import make_optimizer

__all__ = ["KerasAdagrad", "LazyAdam", "Optimizer", "make_optimizer"]
