"""Train a model on a split; what comes back can evaluate and save itself."""

import dataclasses
import functools
import hashlib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from shortlist.data import Split
from shortlist.errors import SettingsError
from shortlist.evaluation import Targets, VectorScores, evaluate
from shortlist.experiment.run import FitOn, Run
from shortlist.experiment.vectors import events_of, item_vectors, query_encoder
from shortlist.features import Features, fit_features
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
    SampledNegatives,
    Training,
    TwoTowerSettings,
    refuse_other_scores,
)
from shortlist.training import (
    Checkpoints,
    Epoch,
    Events,
    History,
    ItemMemory,
    ProgressBar,
    StreamingFrequency,
    Tables,
    fit,
    make_optimizer,
    pick_device,
)

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

    With `training.refit` it is then trained once more, on the validation events too and with features fitted on all of
    these, up to the epoch that they chose; nothing hears of these epochs but the bar and the checkpoints.

    Raises `SettingsError` where `training.watch` names a part that the split does not have and where
    `training.metric` is not measured, `DataError` where no test event could be evaluated, `DivergedError` at the
    first loss or weight that is NaN or infinite, and `CheckpointError` for a checkpoint of another training.
    """
    training, protocol = training or Training(), protocol or Protocol()
    Targets.of(split.test)  # raises now rather than after hours of training
    decisive = protocol.decisive(split.train.num_items)
    training = _with_metric(training, protocol, decisive)
    plan = _Plan(loss or InBatchSoftmax(), optimizer or Adagrad(), training, protocol, fit_on)
    refuse_other_scores(plan.loss, model.settings)
    if training.refit and split.join is None:
        raise SettingsError("A refit joins the validation events to the training, which a split made by hand cannot.")
    with ProgressBar(training.metric or decisive, shown=progress) as bar:
        bar.expect(training.epochs)

        def hear(epoch: Epoch) -> None:
            bar.advance(epoch)
            if on_epoch is not None:
                on_epoch(epoch)

        run = _train_once(plan, model, split, checkpointing, hear)
        if training.refit:
            bar.start("refitting")
            bar.expect(len(run.history.epochs) + run.history.best_epoch)
            features, history = run.model.features, run.history
            del run  # the second training needs the memory of the first
            run = _refit(plan, model.settings, features, split, history, checkpointing, bar.advance)
    return run


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What all trainings of one call share."""

    loss: AnyLoss
    optimizer: AnyOptimizer
    training: Training
    protocol: Protocol
    fit_on: FitOn


def _train_once(
    plan: _Plan,
    model: TwoTower,
    split: Split,
    checkpointing: Checkpointing | None,
    on_epoch: Callable[[Epoch], None],
    stop_after: int | None = None,
) -> Run:
    loss, training = plan.loss, plan.training
    device = pick_device(training.device)
    model = TwoTower.of(model.features, model.settings)
    model.initialize(training.seed)  # on the CPU, so that a seed means the same weights everywhere
    model.to(device)
    tables = Tables(model.features, split.train, device)
    events = events_of(split, split.train, tables, loss, half_life=training.half_life)
    checkpoints = None
    if checkpointing is not None:
        checkpoints = Checkpoints(checkpointing, _identity(plan, model, split, device))
    history = fit(
        model,
        events,
        loss=_loss_function(loss),
        optimizer=make_optimizer(plan.optimizer, model),
        training=training,
        log_q=_log_q(loss, events, training),
        memory=_memory(loss, events),
        validate=_watch(model, tables, split, training, plan.protocol),
        on_epoch=on_epoch,
        checkpoints=checkpoints,
        stop_after=stop_after,
    )
    model.eval()
    return Run(model, split, tables, loss, plan.optimizer, training, plan.protocol, history, plan.fit_on)


def _refit(
    plan: _Plan,
    settings: TwoTowerSettings,
    features: Features,
    chosen_on: Split,
    history: History,
    checkpointing: Checkpointing | None,
    on_epoch: Callable[[Epoch], None],
) -> Run:
    """The same training on training and validation events together, up to the epoch that the latter chose."""
    split = chosen_on.joined()
    if plan.fit_on != "all":
        query: list[Any] = [feature.choice for feature in features.query]
        item: list[Any] = [feature.choice for feature in features.item]
        features = fit_features(query, item, on=split.train)
    checkpointing = None if checkpointing is None else checkpointing.of_refit()
    training = dataclasses.replace(plan.training, watch="nothing", patience=None, metric=None, refit=False)
    again = dataclasses.replace(plan, training=training)
    model = TwoTower.of(features, settings)
    run = _train_once(again, model, split, checkpointing, on_epoch, stop_after=history.best_epoch)
    seconds = run.history.seconds
    return dataclasses.replace(run, training=plan.training, history=history, chosen_on=chosen_on, refit_seconds=seconds)


def _identity(plan: _Plan, model: TwoTower, split: Split, device: torch.device) -> str:
    """What is trained on what, as a SHA-256: a checkpoint of anything else is refused.

    Only its length may change, where the learning rate does not hang on it.
    """
    training = plan.training
    if training.decay == "none" and not training.warmup:
        training = dataclasses.replace(training, epochs=1)
    watched = None if training.watch == "nothing" else plan.protocol  # it says which epoch is the best
    what = [model.features.to_json(), model.settings, plan.loss, plan.optimizer, training, device, watched]
    return hashlib.sha256(f"{what} {split.fingerprint}".encode()).hexdigest()


def _with_metric(training: Training, protocol: Protocol, decisive: str) -> Training:
    """The training with the metric that early stopping watches: the decisive one unless it names its own."""
    if training.metric is not None:
        protocol.refuse_unmeasured(training.metric)
        return training
    return training if training.patience is None else dataclasses.replace(training, metric=decisive)


def _loss_function(choice: AnyLoss) -> Callable[[Tensor, Tensor, Positives], Tensor]:
    """The function of arrays that the choice names, with what it says about it."""
    functions: dict[type[Any], Callable[..., Tensor]] = {
        InBatchSoftmax: in_batch_softmax,
        FullSoftmax: full_softmax,
        Bpr: bpr,
        PairwiseHinge: pairwise_hinge,
        CosineContrastive: cosine_contrastive,
    }
    function = functions[type(choice)]
    taken = inspect.signature(function).parameters
    return functools.partial(function, **{n: value for n, value in dataclasses.asdict(choice).items() if n in taken})


def _log_q(loss: AnyLoss, events: Events, training: Training) -> Tensor | StreamingFrequency | None:
    """What the loss corrects its candidates' scores by."""
    if not isinstance(loss, InBatchSoftmax) or not loss.log_q:
        return None
    if loss.log_q == "streaming":
        return StreamingFrequency(events.tables.num_items, device=events.tables.device)
    return events.log_q(training.batch_size)


def _memory(loss: AnyLoss, events: Events) -> ItemMemory | None:
    """The memory of earlier batches' items that the loss wants."""
    if not isinstance(loss, SampledNegatives) or not loss.memory_batches:
        return None
    return ItemMemory(loss.memory_batches, events.known if events.remove_known else None)


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
