"""A tower as an ONNX graph, so that a process without torch can run it."""

import logging
import warnings

import onnx
import torch

from shortlist.errors import SettingsError
from shortlist.features import FittedFeature
from shortlist.features.lists import FittedLists
from shortlist.models.tower import Tower

__all__ = ["export_tower"]


def export_tower(tower: Tower, features: tuple[FittedFeature, ...]) -> bytes:
    """The tower as an ONNX model: inputs named by feature, one output `vectors` [B, D] float32.

    Categories are int64 [B], numbers float32 [B, width], lists int64 [B, L] padded with 0. B and L are free.
    Weights are inside the model; paths of the source files, which the exporter writes down, are taken out.
    """
    training = tower.training
    tower.eval()
    try:
        model = _export(tower, features)
    finally:
        tower.train(training)
    for node in (*model.graph.node, *model.graph.value_info, *model.graph.initializer, *model.graph.input):
        del node.metadata_props[:]
    for function in model.functions:
        for node in function.node:
            del node.metadata_props[:]
    del model.metadata_props[:]
    model.graph.doc_string = ""
    return bytes(model.SerializeToString())


def _export(tower: Tower, features: tuple[FittedFeature, ...]) -> onnx.ModelProto:
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
