import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import pytest
import torch
from kitchen import fit_kitchen_features, kitchen_data
from safetensors.torch import load

import shortlist as sl
from shortlist.features import Encoded, FittedFeature, Numbers, RowLists, Rows, encode
from shortlist.features.history import Pooling
from shortlist.models import Columns, ExportedTowers, Tower, export_towers
from shortlist.training import make_optimizer

FILE = "weights.safetensors"
Saved = tuple[sl.TwoTower, ExportedTowers]
OPTIONS: list[dict[str, Any]] = [
    {"layers": [9, 5]},
    {
        "layers": [9, 7, 5],
        "activation": "gelu",
        "dropout": 0.5,
        "normalize": True,
        "learned_temperature": 0.5,
        "item_bias": True,
    },
]
POOLINGS: tuple[Pooling | None, ...] = (None, "mean", "sqrt", "recency", "attention")


@pytest.fixture(scope="module")
def kitchen() -> sl.Dataset:
    return kitchen_data()


@pytest.fixture(scope="module")
def kitchen_features(kitchen: sl.Dataset) -> sl.Features:
    return fit_kitchen_features(kitchen)


@pytest.fixture(scope="module", params=itertools.product(OPTIONS, POOLINGS), ids=str)
def saved(request: pytest.FixtureRequest, kitchen: sl.Dataset) -> Saved:
    options, pooling = request.param
    model = sl.TwoTower(fit_kitchen_features(kitchen, pooling=pooling), **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=torch.Generator().manual_seed(parameter.numel()))
    model.train()
    towers = export_towers(model, FILE)
    assert model.query.training, "exporting must not leave the tower in another mode"
    return model.eval(), towers


def run_onnx(graph: bytes, weights: bytes, inputs: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.add_external_initializers_from_files_in_memory([FILE], [weights], [len(weights)])
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    (vectors,) = session.run(["vectors"], dict(inputs))
    assert isinstance(vectors, np.ndarray)
    return vectors


def padded(column: Encoded) -> npt.NDArray[Any]:
    """The form that a saved tower takes."""
    match column:
        case Rows(rows):
            return rows.astype(np.int64)
        case Numbers(values):
            return values
        case RowLists():
            return column.padded()


def random_columns(
    features: Sequence[FittedFeature], rows: int, generator: np.random.Generator, longest: int
) -> dict[str, Encoded]:
    """Any rows a feature may give, lists of length 0 to `longest`."""
    columns: dict[str, Encoded] = {}
    for feature in features:
        if feature.kind in ("text", "categories", "history"):
            lengths = generator.integers(longest + 1, size=rows)
            flat = generator.integers(1, feature.num_rows, size=int(lengths.sum())).astype(np.int32)
            columns[feature.name] = RowLists.of_lengths(flat, lengths)
        elif feature.num_rows:
            columns[feature.name] = Rows(generator.integers(feature.num_rows, size=rows).astype(np.int32))
        else:
            columns[feature.name] = Numbers(generator.normal(size=(rows, feature.width)).astype(np.float32))
    return columns


def assert_same(tower: Tower, graph: bytes, weights: bytes, columns: Mapping[str, Encoded], rows: int) -> None:
    with torch.inference_mode():
        expected = tower(Columns(columns).take(torch.arange(rows))).numpy()
    vectors = run_onnx(graph, weights, {name: padded(column) for name, column in columns.items()})
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(("rows", "longest"), [(1, 0), (1, 1), (1, 4), (2, 3), (300, 0), (300, 9)])
def test_onnx_runtime_gives_the_vectors_of_torch(saved: Saved, rows: int, longest: int) -> None:
    model, towers = saved
    generator = np.random.default_rng(rows + longest)
    queries = random_columns(model.features.query, rows, generator, longest)
    assert_same(model.query, towers.query, towers.weights, queries, rows)
    items = random_columns(model.features.item, rows, generator, longest)
    assert_same(model.item, towers.item, towers.weights, items, rows)


def test_the_one_copy_of_the_weights_is_the_models_state(saved: Saved) -> None:
    model, towers = saved
    state = load(towers.weights)
    assert state.keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(state[name], tensor)
    for graph in (towers.query, towers.item):
        inside = [tensor for tensor in onnx.load_from_string(graph).graph.initializer if not tensor.external_data]
        assert all(tensor.data_type == onnx.TensorProto.INT64 or not tensor.dims for tensor in inside)


def test_catalogue_encodes_the_same_with_and_without_torch(
    saved: Saved, kitchen: sl.Dataset, kitchen_features: sl.Features
) -> None:
    model, towers = saved
    assert_same(
        model.item, towers.item, towers.weights, encode(kitchen_features.item, kitchen.items), kitchen.num_items
    )


def test_padding_further_changes_nothing(saved: Saved, kitchen: sl.Dataset, kitchen_features: sl.Features) -> None:
    inputs = {name: padded(column) for name, column in encode(kitchen_features.item, kitchen.items).items()}
    longer = {
        name: np.pad(values, ((0, 0), (0, 7))) if name.startswith(("text", "categories")) else values
        for name, values in inputs.items()
    }
    graph, weights = saved[1].item, saved[1].weights
    expected = run_onnx(graph, weights, inputs)
    np.testing.assert_allclose(run_onnx(graph, weights, longer), expected, rtol=1e-6, atol=1e-6)


def test_inputs_are_named_by_feature_and_the_output_vectors(saved: Saved) -> None:
    known = saved[0].features
    for graph, features in ((saved[1].query, known.query), (saved[1].item, known.item)):
        model = onnx.load_from_string(graph)
        assert [value.name for value in model.graph.input] == [feature.name for feature in features]
        assert [value.name for value in model.graph.output] == ["vectors"]


def test_no_path_of_a_source_file_is_inside(saved: Saved) -> None:
    for graph in (saved[1].query, saved[1].item):
        for trace in (b"/src/", b".py", b"site-packages", b"/home", b"Traceback", b"File "):
            assert trace not in graph


def test_graph_holds_no_loop(saved: Saved) -> None:
    for graph in (saved[1].query, saved[1].item):
        kinds = {node.op_type for node in onnx.load_from_string(graph).graph.node}
        assert not kinds & {"Loop", "Scan", "If"}


def test_tower_with_sparse_gradients_is_saved_all_the_same(
    kitchen_features: sl.Features,
) -> None:
    model = sl.TwoTower(kitchen_features, [4])
    make_optimizer(sl.LazyAdam(), model)
    towers = export_towers(model, FILE)
    columns = random_columns(kitchen_features.item, 5, np.random.default_rng(0), 3)
    assert_same(model.item, towers.item, towers.weights, columns, 5)
