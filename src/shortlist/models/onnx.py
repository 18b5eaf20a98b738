"""Towers as ONNX graphs over one file of weights, so that a process without torch can run them."""

import copy
import dataclasses
import json
import logging
import warnings

import onnx
import torch
from safetensors.torch import save

from shortlist.errors import SettingsError
from shortlist.features import FittedFeature
from shortlist.features.lists import FittedLists
from shortlist.models.embeddings import EmbeddingTable, PooledHistory
from shortlist.models.tower import Tower
from shortlist.models.two_tower import TwoTower

__all__ = ["ExportedTowers", "export_towers"]


@dataclasses.dataclass(frozen=True)
class ExportedTowers:
    """Both towers as ONNX graphs, and the bytes of the safetensors file that their weights lie in.

    The graphs hold no weights: each initializer names the file and where in it its numbers are, so that there is one
    copy of them and ONNX Runtime maps it instead of reading it. The file holds the model's `state_dict`.
    """

    query: bytes
    item: bytes
    weights: bytes


def export_towers(model: TwoTower, weights_file: str, *, shared: torch.Tensor | None = None) -> ExportedTowers:
    """The towers as ONNX models over a file of that name beside them.

    Inputs are named by feature, the one output is `vectors` [B, D] float32. Categories are int64 [B], numbers float32
    [B, width], lists int64 [B, L] padded with 0. B and L are free. Paths of the source files, which the exporter
    writes down, are taken out.

    A shared history becomes a table of its own, `shared` [num_rows, width]: the item tower's embeddings of the items
    that it knows, in the order of its rows.
    """
    towers = {"query": model.query if shared is None else _with_table(model.query, shared), "item": model.item}
    tensors = {f"{side}.{name}": held for side, tower in towers.items() for name, held in tower.state_dict().items()}
    weights = save({name: tensor.cpu().contiguous() for name, tensor in tensors.items()})
    query = _export(towers["query"], model.features.query)
    item = _export(model.item, model.features.item)
    for side, graph in (("query", query), ("item", item)):
        _take_weights_out(graph, f"{side}.", weights, weights_file)
    return ExportedTowers(query.SerializeToString(), item.SerializeToString(), weights)


def _with_table(tower: Tower, vectors: torch.Tensor) -> Tower:
    """A copy of the tower whose shared history has these vectors for its table."""
    tower = copy.deepcopy(tower)
    for module in tower.embeddings:
        if isinstance(module, PooledHistory) and module.table is None:
            module.table = EmbeddingTable(*vectors.shape)
            module.table.weight = torch.nn.Parameter(vectors.clone())
    return tower


def _take_weights_out(graph: onnx.ModelProto, prefix: str, weights: bytes, file: str) -> None:
    """Let every initializer that is a tensor of the file say where it lies there, instead of holding its numbers.

    Source of the layout: https://huggingface.co/docs/safetensors: eight bytes that say how long the JSON header is, the
    header with offsets from its own end, the numbers.
    """
    begin = 8 + int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8:begin])
    for initializer in graph.graph.initializer:
        if prefix + initializer.name not in header:
            continue  # a constant of the graph, such as an axis
        entry = header[prefix + initializer.name]
        if list(initializer.dims) != entry["shape"] or initializer.data_type != onnx.TensorProto.FLOAT:
            raise SettingsError(
                f"torch {torch.__version__} exported the weights {initializer.name} in another form than the model's; "
                "install the version that constraints.txt pins."
            )
        start, stop = entry["data_offsets"]
        initializer.ClearField("raw_data")
        initializer.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", file), ("offset", begin + start), ("length", stop - start)):
            initializer.external_data.add(key=key, value=str(value))


def _export(tower: Tower, features: tuple[FittedFeature, ...]) -> onnx.ModelProto:
    """The tower's graph with its weights inside and no trace of the source files."""
    training = tower.training
    tower.eval()
    try:
        model = _trace(tower, features)
    finally:
        tower.train(training)
    for node in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input):
        del node.metadata_props[:]
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
    del model.metadata_props[:]
    model.graph.doc_string = ""
    return model


def _trace(tower: Tower, features: tuple[FittedFeature, ...]) -> onnx.ModelProto:
    batch = torch.export.Dim("batch", min=1)
    examples: dict[str, torch.Tensor] = {}
    shapes: dict[str, dict[int, torch.export.Dim]] = {}
    for place, feature in enumerate(features):
        shapes[feature.name] = {0: batch}
        if isinstance(feature, FittedLists):
            examples[feature.name] = torch.ones((2, 3), dtype=torch.int64)
            shapes[feature.name][1] = torch.export.Dim(f"length_{place}", min=1)
        elif feature.num_rows:
            examples[feature.name] = torch.zeros(2, dtype=torch.int64)
        else:
            examples[feature.name] = torch.zeros((2, feature.width), dtype=torch.float32)
    # It warns of its own dependencies' plans, and logs that torchvision, which no tower uses, is not there.
    logger = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = logger.level
    logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            tower,
            kwargs={"features": examples},
            input_names=list(examples),
            output_names=["vectors"],
            dynamic_shapes={"features": shapes},
            dynamo=True,
            verbose=False,
        )
    logger.setLevel(level)
    if program is None:
        raise SettingsError(
            f"torch {torch.__version__} exported no ONNX from a tower; install the version that constraints.txt pins."
        )
    return program.model_proto
