"""One tower: the embeddings of its features side by side, then dense layers."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from shortlist.features import FittedFeature
from shortlist.features.history import FittedHistory
from shortlist.features.lists import FittedLists
from shortlist.models.embeddings import EmbeddingTable, PooledHistory, PooledLists, SharedVectors
from shortlist.models.inputs import SharedHistory, TowerInput
from shortlist.settings.model import TwoTowerSettings

__all__ = ["Tower"]

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh, "silu": nn.SiLU}


class Tower(nn.Module):
    """Feature embeddings [B, sum of widths], then dense layers; the last has no activation. Gives [B, D] float32.

    With `normalize` vectors have length 1. `extra` appends the item bias's dimension: "one" a constant 1 for
    the query tower, "bias" a linear function of the embeddings for the item tower. With `learned_temperature` vectors
    are divided by a learnt number before that, which starts there.
    """

    def __init__(
        self,
        features: Sequence[FittedFeature],
        settings: TwoTowerSettings,
        extra: Literal["one", "bias"] | None = None,
        learned_temperature: float | None = None,
    ) -> None:
        super().__init__()
        self.feature_names = [feature.name for feature in features]
        # A list, since the keys of a ModuleDict may not hold a dot and columns' names do.
        self.embeddings = nn.ModuleList(_embedding(feature) for feature in features)
        inputs = sum(feature.width for feature in features)
        blocks: list[nn.Module] = []
        width = inputs
        for depth, size in enumerate(settings.layers, start=1):
            blocks.append(nn.Linear(width, size))
            if depth < len(settings.layers):
                blocks.append(ACTIVATIONS[settings.activation]())
                if settings.dropout:
                    blocks.append(nn.Dropout(settings.dropout))
            width = size
        self.layers = nn.Sequential(*blocks)
        self.normalize = settings.normalize
        self.extra = extra
        self.start = learned_temperature
        # The log, so that no step can take the temperature to nothing or below.
        self.log_temperature = None if learned_temperature is None else nn.Parameter(torch.zeros(()))
        self.bias = nn.Linear(inputs, 1) if extra == "bias" else None

    def embed(self, features: Mapping[str, TowerInput], shared: SharedVectors | None = None) -> Tensor:
        """The embeddings side by side [B, sum of widths]; a shared history points into the vectors of `shared`."""
        parts = []
        for name, embedding in zip(self.feature_names, self.embeddings, strict=True):
            given = features[name]
            parts.append(embedding(given.lists, shared) if isinstance(given, SharedHistory) else embedding(given))
        return torch.cat(parts, dim=1)

    def forward(self, features: Mapping[str, TowerInput], shared: SharedVectors | None = None) -> Tensor:
        joined = self.embed(features, shared)
        vectors: Tensor = self.layers(joined)  # [B, D]
        if self.normalize:
            vectors = nn.functional.normalize(vectors, dim=1)
        if self.log_temperature is not None:
            vectors = vectors * torch.exp(-self.log_temperature)
        if self.bias is not None:
            vectors = torch.cat([vectors, self.bias(joined)], dim=1)  # [B, D + 1]
        elif self.extra == "one":
            vectors = torch.cat([vectors, torch.ones_like(vectors[:, :1])], dim=1)  # [B, D + 1]
        return vectors

    def initialize(self, init: str, generator: torch.Generator) -> None:
        """Draw all weights anew: as Keras does ("keras"), or as PyTorch does ("torch")."""
        with torch.no_grad():
            if self.log_temperature is not None and self.start is not None:
                self.log_temperature.fill_(math.log(self.start))
            for module in self.modules():
                if isinstance(module, EmbeddingTable):
                    if init == "keras":
                        module.weight.uniform_(-0.05, 0.05, generator=generator)
                    else:
                        module.weight.normal_(generator=generator)
                elif isinstance(module, nn.Linear):
                    if init == "keras":
                        nn.init.xavier_uniform_(module.weight, generator=generator)
                        module.bias.zero_()
                    else:
                        nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=generator)
                        bound = 1 / math.sqrt(module.in_features)
                        module.bias.uniform_(-bound, bound, generator=generator)


def _embedding(feature: FittedFeature) -> nn.Module:
    if feature.num_rows == 0:
        return nn.Identity()
    if isinstance(feature, FittedHistory):
        return PooledHistory(feature)
    if isinstance(feature, FittedLists):
        return PooledLists(feature)
    return EmbeddingTable(feature.num_rows, feature.width, feature.dropout)
