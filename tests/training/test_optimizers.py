import numpy as np
import numpy.typing as npt
import pytest
import torch

import shortlist as sl
from shortlist.losses import in_batch_softmax
from shortlist.models import EmbeddingTable
from shortlist.settings import AnyOptimizer
from shortlist.training import Events, KerasAdagrad, LazyAdam, Tables, make_optimizer

Floats = npt.NDArray[np.float64]


def plain_adagrad(
    weights: Floats, gradients: list[Floats], learning_rate: float, start: float, epsilon: float
) -> Floats:
    """Keras' formula in float64."""
    accumulator = np.full_like(weights, start)
    for gradient in gradients:
        accumulator += gradient**2
        weights = weights - learning_rate * gradient / np.sqrt(accumulator + epsilon)
    return weights


def step_by_step(weights: torch.Tensor, gradients: list[torch.Tensor], *choice: float) -> torch.Tensor:
    parameter = torch.nn.Parameter(weights.clone())
    optimizer = KerasAdagrad([parameter], *choice)
    for gradient in gradients:
        parameter.grad = gradient
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("steps", [1, 10])
@pytest.mark.parametrize(("rate", "start", "epsilon"), [(0.1, 0.1, 1e-7), (0.5, 0.0, 1e-7), (0.01, 2.0, 0.5)])
def test_steps_equal_the_formula(steps: int, rate: float, start: float, epsilon: float) -> None:
    generator = np.random.default_rng(steps)
    weights = generator.normal(size=(6, 3))
    gradients = list(generator.normal(size=(steps, 6, 3)))
    moved = step_by_step(
        torch.tensor(weights, dtype=torch.float32),
        [torch.tensor(gradient, dtype=torch.float32) for gradient in gradients],
        rate,
        start,
        epsilon,
    )
    expected = plain_adagrad(weights, gradients, rate, start, epsilon)
    np.testing.assert_allclose(moved.numpy(), expected, rtol=1e-6, atol=1e-6)


def test_gradient_that_is_a_view_of_another_moves_what_its_copy_does() -> None:
    gradient = torch.arange(6.0).reshape(3, 2).t()
    moved, expected = (
        step_by_step(torch.zeros(2, 3), [of], 0.1, 0.1, 1e-7) for of in (gradient, gradient.contiguous())
    )
    assert torch.equal(moved, expected)


def test_float64_weights_move_in_float64() -> None:
    weights, gradient = np.array([1.0]), np.array([0.25])
    moved = step_by_step(torch.tensor(weights), [torch.tensor(gradient)], 0.1, 0.1, 1e-7)
    assert moved.item() == pytest.approx(plain_adagrad(weights, [gradient], 0.1, 0.1, 1e-7)[0], rel=1e-14)


def test_one_step_by_hand() -> None:
    # Accumulator 0.1 + 3² = 9.1, with epsilon 0.9 under the root 10; 1 − 0.5 · 3 / √10 = 0.525658.
    moved = step_by_step(torch.tensor([1.0]), [torch.tensor([3.0])], 0.5, 0.1, 0.9)
    assert moved.item() == pytest.approx(1 - 1.5 / 10**0.5)


def test_zero_gradient_with_an_empty_accumulator_moves_nothing() -> None:
    moved = step_by_step(torch.tensor([1.0]), [torch.tensor([0.0])], 0.5, 0.0, 1e-7)
    assert moved.item() == 1


@pytest.mark.parametrize("steps", [1, 10])
@pytest.mark.parametrize("choice", [(0.1, 0.1, 1e-7), (0.5, 0.0, 0.5)])
def test_sparse_gradients_move_weights_as_dense_ones_do(choice: tuple[float, float, float], steps: int) -> None:
    generator = torch.Generator().manual_seed(steps)
    weights = torch.randn(8, 3, generator=generator)
    sparse, dense = [], []
    for _ in range(steps):
        rows = torch.randint(8, (1, 12), generator=generator)  # 12 of 8 rows: some stand there twice
        values = torch.randn(12, 3, generator=generator)
        sparse.append(torch.sparse_coo_tensor(rows, values, (8, 3), check_invariants=True))
        dense.append(torch.zeros(8, 3).index_add_(0, rows[0], values))
    torch.testing.assert_close(
        step_by_step(weights, sparse, *choice), step_by_step(weights, dense, *choice), rtol=1e-6, atol=1e-6
    )


def test_row_used_twice_moves_once_by_the_sum() -> None:
    # The sum of 3 and −1 is 2: 1 − 0.1 · 2 / √(0 + 4 + 0) = 0.9. Two moves would give 1 − 0.1 · 3/3 + 0.1 / √10.
    gradient = torch.sparse_coo_tensor(torch.tensor([[1, 1]]), [[3.0], [-1.0]], (3, 1), check_invariants=True)
    moved = step_by_step(torch.ones(3, 1), [gradient], 0.1, 0.0, 1e-12)
    torch.testing.assert_close(moved, torch.tensor([[1.0], [0.9], [1.0]]))


def test_sparse_step_leaves_other_rows_as_they_are_to_the_bit() -> None:
    weights = torch.randn(100, 4, generator=torch.Generator().manual_seed(0))
    gradient = torch.sparse_coo_tensor(torch.tensor([[7]]), [[1.0] * 4], (100, 4), check_invariants=True)
    changed = (step_by_step(weights, [gradient], 0.1, 0.1, 1e-7) != weights).any(dim=1)
    assert changed.nonzero().tolist() == [[7]]


def test_weights_without_a_gradient_stay() -> None:
    used, unused = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    optimizer = KerasAdagrad([used, unused], 0.1, 0.1, 1e-7)
    used.grad = torch.ones(2)
    optimizer.step()
    assert (used != 1).all()
    assert (unused == 1).all()


def test_gradients_are_forgotten() -> None:
    weight = torch.nn.Parameter(torch.tensor([2.0]))
    weight.grad = torch.ones(1)
    KerasAdagrad([weight], 0.1, 0.0, 1e-12).zero_grad()
    assert weight.grad is None


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> Events:
    """Tables of 11 users, 5 items and 8 words; a table is large from 8 rows on."""
    monkeypatch.setattr("shortlist.training.optimizers.make.SPARSE_FROM_ROWS", 8)
    data = sl.Dataset(
        {"user": range(10), "item": [0, 1, 2, 3] * 2 + [0, 1]},
        items={"item": range(4), "title": ["a b c", "d e f", "", "a"]},
        query_id="user",
        item_id="item",
    )
    features = sl.fit_features([sl.Lookup("user", width=3)], [sl.Lookup("item", width=3), sl.Text("title")], on=data)
    return Events(Tables(features, data), data)


def one_step(events: Events, choice: AnyOptimizer) -> sl.TwoTower:
    model = sl.TwoTower(events.tables.features, [4])
    optimizer = make_optimizer(choice, model)
    batch = events.batch(torch.arange(len(events)), None)
    queries, items = model.encode_queries(batch.query_inputs).squeeze(1), model.encode_items(batch.item_inputs)
    in_batch_softmax(queries, items, batch.positives).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    return model


def sparse_by_rows(model: sl.TwoTower) -> dict[int, bool]:
    """The number of rows of each table, and whether its gradient came as the rows used."""
    tables = [module.weight for module in model.modules() if isinstance(module, EmbeddingTable)]
    return {len(table): table.grad is not None and table.grad.is_sparse for table in tables}


def test_adagrad_takes_the_gradients_of_large_tables_sparse(events: Events) -> None:
    assert sparse_by_rows(one_step(events, sl.Adagrad())) == {11: True, 5: False, 8: True}


def test_adamw_takes_every_gradient_dense(events: Events) -> None:
    assert sparse_by_rows(one_step(events, sl.AdamW())) == {11: False, 5: False, 8: False}


def test_changing_the_optimiser_changes_the_kind_of_gradient_back(events: Events) -> None:
    model = sl.TwoTower(events.tables.features, [4])
    make_optimizer(sl.Adagrad(), model)
    make_optimizer(sl.AdamW(), model)
    assert not any(getattr(module, "sparse_gradients", False) for module in model.modules())


def test_model_moves_the_same_whether_its_tables_count_as_large_or_not(
    events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    sparse = one_step(events, sl.Adagrad()).state_dict()
    monkeypatch.setattr("shortlist.training.optimizers.make.SPARSE_FROM_ROWS", 1_000)
    dense = one_step(events, sl.Adagrad()).state_dict()
    for name, weights in sparse.items():
        torch.testing.assert_close(weights, dense[name], rtol=1e-6, atol=1e-6)


def test_adamw_gets_every_choice(events: Events) -> None:
    choice = sl.AdamW(learning_rate=0.5, weight_decay=0.25, beta1=0.75, beta2=0.875, epsilon=0.125)
    (group,) = make_optimizer(choice, sl.TwoTower(events.tables.features, [4])).param_groups
    assert group["lr"] == 0.5
    assert group["weight_decay"] == 0.25
    assert group["betas"] == (0.75, 0.875)
    assert group["eps"] == 0.125


def row_gradients(steps: int, generator: torch.Generator) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Sparse gradients of a table [8, 3], and the same ones dense. Rows 6 and 7 are never used."""
    pairs = []
    for _ in range(steps):
        rows = torch.randint(6, (1, 5), generator=generator)
        values = torch.randn(5, 3, generator=generator)
        sparse = torch.sparse_coo_tensor(rows, values, (8, 3), check_invariants=True)
        pairs.append((sparse, torch.zeros(8, 3).index_add_(0, rows[0], values)))
    return pairs


def test_rowwise_adagrad_by_hand() -> None:
    # The row's mean square is (3² + 1²) / 2 = 5; 1 − 0.5 · 3 / √(0.1 + 5 + 3.9) = 0.5, and 1 − 0.5 · 1 / 3 = 0.8333.
    table = torch.nn.Parameter(torch.ones(2, 2))
    optimizer = KerasAdagrad([{"params": [table], "rowwise": True}], 0.5, 0.1, 3.9)
    table.grad = torch.tensor([[3.0, 1.0], [0.0, 0.0]])
    optimizer.step()
    torch.testing.assert_close(table.detach(), torch.tensor([[0.5, 5 / 6], [1.0, 1.0]]))
    assert optimizer.state[table]["accumulator"].shape == (2, 1)


def test_rowwise_adagrad_moves_alike_by_sparse_and_dense_gradients() -> None:
    moved = []
    for kind in (0, 1):
        generator = torch.Generator().manual_seed(3)
        table = torch.nn.Parameter(torch.randn(8, 3, generator=generator))
        optimizer = KerasAdagrad([{"params": [table], "rowwise": True}], 0.1, 0.1, 1e-7)
        for pair in row_gradients(10, generator):
            table.grad = pair[kind]
            optimizer.step()
        moved.append(table.detach())
    torch.testing.assert_close(*moved, rtol=1e-6, atol=1e-6)


def test_rowwise_adagrad_accumulates_rows_of_tables_and_weights_of_layers(events: Events) -> None:
    model = sl.TwoTower(events.tables.features, [4])
    optimizer = make_optimizer(sl.RowwiseAdagrad(), model)
    for module in model.modules():
        if isinstance(module, EmbeddingTable):
            assert optimizer.state[module.weight]["accumulator"].shape == (len(module.weight), 1)
        elif isinstance(module, torch.nn.Linear):
            assert optimizer.state[module.weight]["accumulator"].shape == module.weight.shape


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_lazy_adam_moves_dense_weights_as_adamw_does(decay: float) -> None:
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(4, 3, generator=generator)
    lazy, proper = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    ours = LazyAdam([lazy], sl.LazyAdam(learning_rate=0.05, weight_decay=decay))
    theirs = torch.optim.AdamW([proper], lr=0.05, weight_decay=decay)
    for _ in range(20):
        lazy.grad = proper.grad = torch.randn(4, 3, generator=generator)
        ours.step()
        theirs.step()
    torch.testing.assert_close(lazy, proper)


def test_lazy_adam_moves_rows_used_in_every_step_as_adamw_does_and_leaves_the_others_to_the_bit() -> None:
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(5, 3, generator=generator)
    lazy, proper = torch.nn.Parameter(start.clone()), torch.nn.Parameter(start.clone())
    ours = LazyAdam([lazy], sl.LazyAdam(learning_rate=0.05, weight_decay=0.1))
    theirs = torch.optim.AdamW([proper], lr=0.05, weight_decay=0.1)
    rows = torch.tensor([[3, 1, 3]])
    for _ in range(10):
        values = torch.randn(3, 3, generator=generator)
        lazy.grad = torch.sparse_coo_tensor(rows, values, (5, 3), check_invariants=True)
        proper.grad = torch.zeros(5, 3).index_add_(0, rows[0], values)
        ours.step()
        theirs.step()
    torch.testing.assert_close(lazy[[1, 3]], proper[[1, 3]])
    assert torch.equal(lazy[[0, 2, 4]], start[[0, 2, 4]])


def test_lazy_adams_moments_stand_still_while_a_row_is_not_used() -> None:
    # Step 1 uses row 0 with g = 1, step 2 row 1, step 3 row 0 with g = −1, t = 3 there: m = 0.9 · 0.1 − 0.1 = −0.01.
    table = torch.nn.Parameter(torch.zeros(2, 1))
    optimizer = LazyAdam([table], sl.LazyAdam(learning_rate=1.0))
    for row, value in ((0, 1.0), (1, 1.0), (0, -1.0)):
        table.grad = torch.sparse_coo_tensor(torch.tensor([[row]]), [[value]], (2, 1), check_invariants=True)
        optimizer.step()
    square = 0.999 * 0.001 + 0.001
    last = -0.01 / (1 - 0.9**3) / ((square / (1 - 0.999**3)) ** 0.5 + 1e-8)
    assert table[0].item() == pytest.approx(-1.0 - last, rel=1e-5)  # the first step moves by −1


def test_lazy_adam_takes_the_gradients_of_every_table_sparse(events: Events) -> None:
    assert sparse_by_rows(one_step(events, sl.LazyAdam())) == {11: True, 5: True, 8: True}
