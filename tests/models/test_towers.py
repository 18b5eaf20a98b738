import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from kitchen import fit_kitchen_features, kitchen_data

import shortlist as sl
from shortlist.errors import SettingsError
from shortlist.features import Encoded, FittedFeature, Numbers, RowLists, Rows, encode
from shortlist.models import Columns, EmbeddingTable, Tower
from shortlist.training import make_optimizer

Floats = npt.NDArray[np.float64]
ERF = np.vectorize(math.erf)
ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": lambda x: np.maximum(x, 0),
    "gelu": lambda x: x * (1 + ERF(x / math.sqrt(2))) / 2,
    "tanh": np.tanh,
    "silu": lambda x: x / (1 + np.exp(-x)),
}


@pytest.fixture(scope="module")
def kitchen() -> sl.Dataset:
    return kitchen_data()


@pytest.fixture(scope="module")
def kitchen_features(kitchen: sl.Dataset) -> sl.Features:
    return fit_kitchen_features(kitchen)


def weights_of(tower: torch.nn.Module) -> list[Floats]:
    """Embedding tables by feature, then weight and bias of each dense layer, then of the item bias."""
    return [parameter.detach().double().numpy() for parameter in tower.parameters()]


def embed(column: Encoded, weights: list[Floats]) -> Floats:
    """What one feature gives to its tower [N, width]; takes its table, if it has one, from the front of `weights`."""
    match column:
        case Rows(rows):
            return weights.pop(0)[rows]
        case Numbers(values):
            return values.astype(np.float64)
        case RowLists(offsets, rows):
            table = weights.pop(0)
            lists = [rows[start:stop] for start, stop in itertools.pairwise(offsets)]
            return np.array([table[list_].mean(axis=0) if len(list_) else np.zeros(table.shape[1]) for list_ in lists])


def plain_tower(
    features: Sequence[FittedFeature],
    columns: dict[str, Encoded],
    tower: torch.nn.Module,
    depth: int,
    *,
    activation: str = "relu",
    normalize: bool = False,
) -> tuple[Floats, Floats, list[Floats]]:
    """A tower's vectors in float64, its input [N, sum of widths], and the weights that are left over."""
    weights = weights_of(tower)
    joined = np.concatenate([embed(columns[feature.name], weights) for feature in features], axis=1)
    vectors = joined
    for layer in range(depth):
        weight, bias = weights.pop(0), weights.pop(0)
        vectors = vectors @ weight.T + bias
        if layer < depth - 1:
            vectors = ACTIVATIONS[activation](vectors)
    if normalize:
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, joined, weights


def build(features: sl.Features, layers: list[int], **options: Any) -> sl.TwoTower:
    """A model with weights of a size at which every layer and its bias matter."""
    model = sl.TwoTower(features, layers, **options)
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model.eval()


def item_columns(features: sl.Features, data: sl.Dataset) -> dict[str, Encoded]:
    return encode(features.item, data.items)


def item_vectors(model: sl.TwoTower, data: sl.Dataset) -> Floats:
    inputs = Columns(item_columns(model.features, data)).take(torch.arange(data.num_items))
    return model.encode_items(inputs).detach().double().numpy()


@pytest.mark.parametrize("layers", [[3], [8, 4], [16, 8, 4], [7, 6, 5, 4, 3]])
def test_item_vectors_equal_plain_arithmetic(
    kitchen: sl.Dataset, kitchen_features: sl.Features, layers: list[int]
) -> None:
    model = build(kitchen_features, layers)
    expected, _, left = plain_tower(
        kitchen_features.item, item_columns(kitchen_features, kitchen), model.item, len(layers)
    )
    assert not left
    np.testing.assert_allclose(item_vectors(model, kitchen), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("layers", [[3], [8, 4], [16, 8, 4]])
def test_query_vectors_equal_plain_arithmetic(
    kitchen: sl.Dataset, kitchen_features: sl.Features, layers: list[int]
) -> None:
    model = build(kitchen_features, layers)
    users, events = encode(kitchen_features.user, kitchen.users), encode(kitchen_features.event, kitchen.interactions)
    rows = torch.from_numpy(kitchen.user_rows)
    inputs = {**Columns(users).take(rows), **Columns(events).take(torch.arange(kitchen.num_events))}
    by_event: dict[str, Encoded] = {
        name: Rows(column.rows[kitchen.user_rows]) for name, column in users.items() if isinstance(column, Rows)
    }
    expected, _, _ = plain_tower(kitchen_features.query, {**by_event, **events}, model.query, len(layers))
    vectors = model.encode_queries(inputs)
    assert vectors.shape == (30, 1, layers[-1])
    np.testing.assert_allclose(vectors[:, 0].detach().numpy(), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_activation_follows_all_layers_but_the_last(
    kitchen: sl.Dataset, kitchen_features: sl.Features, activation: str
) -> None:
    model = build(kitchen_features, [6, 5, 4], activation=activation)
    columns = item_columns(kitchen_features, kitchen)
    expected, _, _ = plain_tower(kitchen_features.item, columns, model.item, 3, activation=activation)
    np.testing.assert_allclose(item_vectors(model, kitchen), expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())
    assert (expected < 0).any()


def test_empty_and_missing_texts_enter_as_zeros(kitchen: sl.Dataset, kitchen_features: sl.Features) -> None:
    model = build(kitchen_features, [2])
    _, joined, _ = plain_tower(kitchen_features.item, item_columns(kitchen_features, kitchen), model.item, 1)
    assert not joined[[1, 3], 4:10].any()  # the title's six places, of items 1 ("") and 3 (missing)
    assert joined[0, 4:10].all()


def test_batch_of_only_empty_lists_gives_finite_vectors(kitchen: sl.Dataset, kitchen_features: sl.Features) -> None:
    model = build(kitchen_features, [2])
    columns = Columns(item_columns(kitchen_features, kitchen))
    alone = model.encode_items(columns.take(torch.tensor([1, 3])))
    together = model.encode_items(columns.take(torch.arange(6)))[[1, 3]]
    torch.testing.assert_close(alone, together)


def test_normalize_gives_vectors_of_length_one(kitchen: sl.Dataset, kitchen_features: sl.Features) -> None:
    model = build(kitchen_features, [6, 4], normalize=True)
    columns = item_columns(kitchen_features, kitchen)
    expected, _, _ = plain_tower(kitchen_features.item, columns, model.item, 2, normalize=True)
    np.testing.assert_allclose(item_vectors(model, kitchen), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("normalize", [False, True])
def test_item_bias_is_one_more_dimension_that_adds_to_every_score(
    kitchen: sl.Dataset, kitchen_features: sl.Features, normalize: bool
) -> None:
    model = build(kitchen_features, [6, 4], item_bias=True, normalize=normalize)
    columns = item_columns(kitchen_features, kitchen)
    plain, joined, (weight, bias) = plain_tower(kitchen_features.item, columns, model.item, 2, normalize=normalize)
    vectors = item_vectors(model, kitchen)
    assert vectors.shape == (6, 5)
    np.testing.assert_allclose(vectors[:, :4], plain, rtol=1e-5, atol=1e-5 * np.abs(plain).max())
    np.testing.assert_allclose(vectors[:, 4:], joined @ weight.T + bias, rtol=1e-5, atol=1e-5)
    users = Columns(encode(kitchen_features.user, kitchen.users)).take(torch.tensor([4, 2]))
    events = Columns(encode(kitchen_features.event, kitchen.interactions)).take(torch.tensor([0, 1]))
    queries = model.encode_queries({**users, **events})
    assert queries.shape == (2, 1, 5)
    assert (queries[:, 0, 4] == 1).all()


def test_dropout_is_gone_when_the_model_is_used(kitchen: sl.Dataset, kitchen_features: sl.Features) -> None:
    with_dropout = build(kitchen_features, [8, 4], dropout=0.5)
    without = build(kitchen_features, [8, 4])
    np.testing.assert_array_equal(item_vectors(with_dropout, kitchen), item_vectors(without, kitchen))


def test_dropout_acts_in_training_and_leaves_the_mean(kitchen: sl.Dataset, kitchen_features: sl.Features) -> None:
    model = build(kitchen_features, [8, 4], dropout=0.5)
    columns = Columns(item_columns(kitchen_features, kitchen))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        drawn = model.train().encode_items(columns.take(torch.zeros(20_000, dtype=torch.int64))).detach()
    mean = model.eval().encode_items(columns.take(torch.tensor([0]))).detach()[0]
    assert len(torch.unique(drawn, dim=0)) > 1
    # The last layer is linear and dropout keeps the mean of its input, so the mean of the output is kept too.
    assert ((drawn.mean(dim=0) - mean).abs() < 5 * drawn.std(dim=0) / math.sqrt(20_000)).all()


def test_one_layer_has_no_activation_to_drop_out_after(kitchen: sl.Dataset, kitchen_features: sl.Features) -> None:
    model = build(kitchen_features, [4], dropout=0.9)
    columns = Columns(item_columns(kitchen_features, kitchen)).take(torch.arange(6))
    torch.testing.assert_close(model.train().encode_items(columns), model.eval().encode_items(columns))


def test_columns_whose_names_hold_dots_are_no_trouble(kitchen_features: sl.Features) -> None:
    assert "lookup_user.id" in sl.TwoTower(kitchen_features).query.feature_names


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"layers": []}, r"layers should have at least 1 entry, but it is \(\)"),
        ({"layers": [8, 0]}, r"layers.1 should be greater than 0, but it is 0"),
        ({"layers": [8], "dropout": 1.0}, "dropout should be less than 1, but it is 1.0"),
        ({"layers": [8], "activation": "swish"}, "activation should be 'relu', 'gelu', 'tanh' or 'silu'"),
        ({"layers": [8], "init": "zeros"}, "init should be 'keras' or 'torch'"),
    ],
)
def test_impossible_towers_are_refused(kitchen_features: sl.Features, options: dict[str, Any], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        sl.TwoTower(kitchen_features, **options)


def wide_features() -> sl.Features:
    data = sl.Dataset({"u": range(5_000), "i": range(5_000)}, query_id="u", item_id="i")
    return sl.fit_features([sl.Lookup("u", width=24)], [sl.Lookup("i", width=40), sl.Text("i", width=8)], on=data)


def linears(model: sl.TwoTower) -> list[torch.nn.Linear]:
    return [module for module in model.modules() if isinstance(module, torch.nn.Linear)]


def tables(model: sl.TwoTower) -> list[torch.Tensor]:
    return [module.weight for module in model.modules() if isinstance(module, EmbeddingTable)]


def test_keras_draws_embeddings_from_a_uniform_of_a_twentieth() -> None:
    found = tables(sl.TwoTower(wide_features(), [100, 50]))
    assert len(found) == 3
    for table in found:
        assert 0.0499 < table.abs().max() <= 0.05
        # A uniform ±a has mean 0 and deviation a / √3; 40,000 draws or more.
        assert abs(table.mean()) < 5 * 0.05 / math.sqrt(3 * table.numel())
        assert table.std().item() == pytest.approx(0.05 / math.sqrt(3), rel=0.01)


def test_keras_draws_dense_weights_from_glorots_uniform_and_zero_biases() -> None:
    found = linears(sl.TwoTower(wide_features(), [100, 50], item_bias=True))
    assert [(layer.in_features, layer.out_features) for layer in found] == [
        (24, 100), (100, 50), (48, 100), (100, 50), (48, 1),
    ]  # fmt: skip
    for layer in found:
        limit = math.sqrt(6 / (layer.in_features + layer.out_features))
        assert 0.9 * limit < layer.weight.abs().max() <= limit
        assert layer.weight.std().item() == pytest.approx(
            limit / math.sqrt(3), rel=0.05 if layer.out_features > 1 else 0.3
        )
        assert not layer.bias.any()


def test_torch_draws_normal_embeddings_and_uniform_layers_with_biases() -> None:
    model = sl.TwoTower(wide_features(), [100, 50], init="torch")
    for table in tables(model):
        assert table.std().item() == pytest.approx(1, rel=0.02)
    for layer in linears(model):
        limit = 1 / math.sqrt(layer.in_features)
        assert 0.95 * limit < layer.weight.abs().max() <= limit
        assert 0.9 * limit < layer.bias.abs().max() <= limit


@pytest.mark.parametrize("init", ["keras", "torch"])
def test_same_seed_draws_the_same_weights_and_another_seed_others(kitchen_features: sl.Features, init: Any) -> None:
    torch.manual_seed(1)
    first = sl.TwoTower(kitchen_features, [8, 4], init=init, item_bias=True)
    torch.manual_seed(2)
    second = sl.TwoTower(kitchen_features, [8, 4], init=init, item_bias=True)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
    second.initialize(seed=7)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert not torch.equal(one, other) or not one.any()  # biases start at zero whatever the seed
    first.initialize(seed=7)
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_settings_describe_the_model_they_came_from(kitchen_features: sl.Features) -> None:
    model = sl.TwoTower(kitchen_features, [8, 4], activation="gelu", dropout=0.25, normalize=True, item_bias=True)
    again = sl.TwoTower.of(kitchen_features, model.settings)
    assert again.settings == model.settings
    assert str(again) == str(model)
    assert all(isinstance(side, Tower) for side in (again.query, again.item))


def test_number_of_parameters_by_hand(kitchen_features: sl.Features) -> None:
    # Query: (10 + 1) users × 5, 7 × 3, 5 buckets × 2, (8 users with a city + 1) × 2, and (5 + 3 + 2 + 1 + 2 + 1) × 4
    # dense weights with bias = 104 + 56.
    # Item: (6 + 1) × 4, (5 words + 2) × 6, (4 tags + 2) × 3, and (4 + 6 + 3 + 1 + 3 + 1) × 4.
    words = {"tea", "for", "two", "jams", "jam"}
    assert sl.TwoTower(kitchen_features, [4]).num_parameters == 104 + 56 + 28 + (len(words) + 2) * 6 + 18 + 72


def test_a_learned_temperature_divides_queries_and_no_bias(kitchen: sl.Dataset, kitchen_features: sl.Features) -> None:
    plain, warm = (
        sl.TwoTower(kitchen_features, [6, 4], normalize=True, item_bias=True, learned_temperature=start).eval()
        for start in (None, 0.25)
    )
    inputs = {
        **Columns(encode(kitchen_features.user, kitchen.users)).take(torch.tensor([4, 2])),
        **Columns(encode(kitchen_features.event, kitchen.interactions)).take(torch.tensor([0, 1])),
    }
    bare, divided = plain.encode_queries(inputs)[:, 0], warm.encode_queries(inputs)[:, 0]
    torch.testing.assert_close(divided[:, :4], 4 * bare[:, :4])
    assert (divided[:, 4] == 1).all()
    np.testing.assert_array_equal(item_vectors(plain, kitchen), item_vectors(warm, kitchen))


def test_a_learned_temperature_is_trained_and_does_not_decay(kitchen_features: sl.Features) -> None:
    for choice in (sl.AdamW(0.1, weight_decay=0.5), sl.LazyAdam(0.1, weight_decay=0.5)):
        model = sl.TwoTower(kitchen_features, [4], normalize=True, learned_temperature=0.25)
        optimizer = make_optimizer(choice, model)
        assert model.query.log_temperature is not None
        for parameter in model.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        assert model.query.log_temperature.item() == pytest.approx(math.log(0.25))
        model.query.log_temperature.grad = torch.ones(())
        optimizer.step()
        assert model.query.log_temperature.item() < math.log(0.25) - 0.05
