"""The two-tower model: one tower for the query, one for the item; their dot product is the score."""

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from shortlist.features import Features
from shortlist.models.embeddings import SharedVectors
from shortlist.models.inputs import SharedHistory, TowerInput
from shortlist.models.tower import Tower
from shortlist.settings.model import Activation, Init, TwoTowerSettings

__all__ = ["TwoTower"]


class TwoTower(nn.Module):
    """Two towers over fitted features, each with the same stack of dense layers.

    `layers` are the widths of the dense layers, the last being D, the width of the vectors. ReLU (or another
    `activation`) follows all but the last. `dropout` acts after each activation. With `normalize` the score is a
    cosine; give the loss a temperature then, or let the model learn one: with `learned_temperature` query vectors are
    divided by a number that starts there and is trained with the rest. `item_bias` adds one dimension: 1 in the query's
    vector, a linear function of the item's embeddings in the item's. Weights are drawn from seed 0 here; `train` draws
    its own.

    Raises `SettingsError` for widths below 1, dropout outside [0, 1), and unknown words.

    >>> from shortlist.data import Dataset
    >>> from shortlist.features import Lookup, fit_features
    >>> data = Dataset({"user": ["ann", "bob"], "sku": ["tea", "jam"]}, query_id="user", item_id="sku")
    >>> model = TwoTower(fit_features([Lookup("user")], [Lookup("sku")], on=data), layers=[16, 8])
    >>> model.num_parameters  # both: 3 rows × 32, (32 + 1) × 16, (16 + 1) × 8
    1520
    """

    def __init__(
        self,
        features: Features,
        layers: Sequence[int] = (64, 32),
        *,
        activation: Activation = "relu",
        dropout: float = 0.0,
        normalize: bool = False,
        learned_temperature: float | None = None,
        item_bias: bool = False,
        init: Init = "keras",
    ) -> None:
        super().__init__()
        self.features = features
        self.settings = TwoTowerSettings(
            layers=tuple(layers),
            activation=activation,
            dropout=dropout,
            normalize=normalize,
            learned_temperature=learned_temperature,
            item_bias=item_bias,
            init=init,
        )
        self.query = Tower(
            features.query,
            self.settings,
            extra="one" if item_bias else None,
            learned_temperature=self.settings.learned_temperature,
        )
        self.item = Tower(features.item, self.settings, extra="bias" if item_bias else None)
        self.initialize(seed=0)

    @classmethod
    def of(cls, features: Features, settings: TwoTowerSettings) -> "TwoTower":
        """The model that an experiment's settings describe."""
        return cls(features, **dataclasses.asdict(settings))

    def initialize(self, seed: int) -> None:
        """Draw all weights anew from the seed."""
        generator = torch.Generator().manual_seed(seed)
        self.query.initialize(self.settings.init, generator)
        self.item.initialize(self.settings.init, generator)

    def encode_queries(self, inputs: Mapping[str, TowerInput]) -> Tensor:
        """Query vectors [B, H, D] with H = 1: a query has one interest."""
        histories = [given for given in inputs.values() if isinstance(given, SharedHistory)]
        shared = SharedVectors(self.item.embed(histories[0].items)) if histories else None
        vectors: Tensor = self.query(inputs, shared)
        return vectors.unsqueeze(1)

    def encode_items(self, inputs: Mapping[str, TowerInput]) -> Tensor:
        """Item vectors [N, D]."""
        vectors: Tensor = self.item(inputs)
        return vectors

    @property
    def num_parameters(self) -> int:
        """How many numbers training adjusts."""
        return sum(parameter.numel() for parameter in self.parameters())
