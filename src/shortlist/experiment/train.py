"""Train a model on a split; what comes back can evaluate and save itself."""

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Callable

import torch
from torch import Tensor

from shortlist.data import Split
from shortlist.errors import SettingsError
from shortlist.evaluation import Targets, VectorScores, evaluate
from shortlist.experiment.run import FitOn, Run
from shortlist.experiment.vectors import events_of, item_vectors, query_encoder
from shortlist.losses import Positives, bpr, cosine_contrastive, full_softmax, in_batch_softmax, pairwise_hinge
from shortlist.models import TwoTower
from shortlist.settings import (
    Adagrad,
    AnyLoss,
    AnyOptimizer,
    Bpr,
    Checkpointing,
    CosineContrastive,
    FullSoftmax,
    InBatchSoftmax,
    PairwiseHinge,
    Protocol,
    Training,
)
from shortlist.training import Checkpoints, Epoch, ProgressBar, Tables, fit, make_optimizer, pick_device

__all__ = ["train"]


def train(
    model: TwoTower,
    split: Split,
    *,
    loss: AnyLoss | None = None,
    optimizer: AnyOptimizer | None = None,
    training: Training | None = None,
    protocol: Protocol | None = None,
    progress: bool = True,
    on_epoch: Callable[[Epoch], None] | None = None,
    checkpointing: Checkpointing | None = None,
    fit_on: FitOn = "unknown",
) -> Run:
    """Train a model like this one on the split's training events, its weights drawn from the training's seed.

    The model given stays as it is; the trained one is the run's. `protocol` says how the watched events are
    measured. `progress` draws a bar on stderr; `on_epoch` is told of each epoch as it ends. `checkpointing` says where
    the training is written down on the way, and whether it goes on from there.

    Raises `SettingsError` where `training.watch` names a part that the split does not have and where
    `training.metric` is not measured, `DataError` where no test event could be evaluated, `DivergedError` at the
    first loss or weight that is NaN or infinite, and `CheckpointError` for a checkpoint of another training.
    """
    loss, optimizer = loss or InBatchSoftmax(), optimizer or Adagrad()
    training, protocol = training or Training(), protocol or Protocol()
    Targets.of(split.test)  # raises now rather than after hours of training
    decisive = protocol.decisive(split.train.num_items)
    training = _with_metric(training, protocol, decisive)
    device = pick_device(training.device)
    model = TwoTower.of(model.features, model.settings)
    model.initialize(training.seed)  # on the CPU, so that a seed means the same weights everywhere
    model.to(device)
    tables = Tables(model.features, split.train, device)
    events = events_of(split, split.train, tables, loss)
    validate = _watch(model, tables, split, training, protocol)
    checkpoints = None
    if checkpointing is not None:
        checkpoints = Checkpoints(checkpointing, _identity(model, split, loss, optimizer, training, device))
    with ProgressBar(training.metric or decisive, shown=progress) as bar:
        bar.expect(training.epochs)

        def hear(epoch: Epoch) -> None:
            bar.advance(epoch)
            if on_epoch is not None:
                on_epoch(epoch)

        history = fit(
            model,
            events,
            loss=_loss_function(loss),
            optimizer=make_optimizer(optimizer, model),
            training=training,
            log_q=events.log_q(training.batch_size) if isinstance(loss, InBatchSoftmax) and loss.log_q else None,
            validate=validate,
            on_epoch=hear,
            checkpoints=checkpoints,
        )
    model.eval()
    return Run(model, split, tables, loss, optimizer, training, protocol, history, fit_on)


def _identity(
    model: TwoTower, split: Split, loss: AnyLoss, optimizer: AnyOptimizer, training: Training, device: torch.device
) -> str:
    """What is trained on what, as a SHA-256: a checkpoint of anything else is refused.

    Only its length may change, where the learning rate does not hang on it.
    """
    if training.decay == "none" and not training.warmup:
        training = dataclasses.replace(training, epochs=1)
    what = [model.features.to_json(), model.settings, loss, optimizer, training, device]
    return hashlib.sha256(f"{what} {split.fingerprint}".encode()).hexdigest()


def _with_metric(training: Training, protocol: Protocol, decisive: str) -> Training:
    """The training with the metric that early stopping watches: the decisive one unless it names its own."""
    if training.metric is not None:
        protocol.refuse_unmeasured(training.metric)
        return training
    return training if training.patience is None else dataclasses.replace(training, metric=decisive)


def _loss_function(choice: AnyLoss) -> Callable[[Tensor, Tensor, Positives], Tensor]:
    """The function of arrays that the choice names, with what it says about it."""
    functions = {
        InBatchSoftmax: in_batch_softmax,
        FullSoftmax: full_softmax,
        Bpr: bpr,
        PairwiseHinge: pairwise_hinge,
        CosineContrastive: cosine_contrastive,
    }
    function = functions[type(choice)]
    taken = inspect.signature(function).parameters
    return functools.partial(function, **{n: value for n, value in dataclasses.asdict(choice).items() if n in taken})


def _watch(
    model: TwoTower, tables: Tables, split: Split, training: Training, protocol: Protocol
) -> Callable[[], dict[str, float]] | None:
    """A validation of the watched events, which are prepared once."""
    if training.watch == "nothing":
        return None
    data = split.validation if training.watch == "validation" else split.test
    if data is None:
        raise SettingsError(
            "The training watches the validation events, but the split has none; give it a share, such as "
            'validation=0.1, or set watch="nothing".'
        )
    targets = Targets.of(data, one_query=not model.features.event)
    seen = split.seen_before(data)
    encode = query_encoder(model, events_of(split, data, tables), targets.event_rows)

    def validate() -> dict[str, float]:
        vectors = item_vectors(model, tables)
        scoring = VectorScores(encode, vectors)
        return evaluate(scoring, targets, protocol=protocol, seen=seen, name="the model").metrics

    return validate
