import pytest
import torch
from torch import Tensor

from shortlist.losses.tiled_softmax import tiled_softmax


def problem(num_rows: int, num_columns: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(num_rows, width, generator=generator),
        torch.randn(num_columns, width, generator=generator),
        torch.randint(num_columns, (num_rows,), generator=generator),
        torch.rand(num_rows, generator=generator),
    )


def with_gradients(queries: Tensor, items: Tensor, column: Tensor, weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    queries, items = queries.clone().requires_grad_(), items.clone().requires_grad_()
    loss = tiled_softmax(queries, items, column, weights)
    grad_queries, grad_items = torch.autograd.grad(loss, (queries, items))
    return loss.detach(), grad_queries, grad_items


@pytest.mark.parametrize(("num_rows", "num_columns"), [(1, 1), (1, 300), (700, 5), (1_025, 300), (200, 70_000)])
def test_float32_is_near_float64(num_rows: int, num_columns: int) -> None:
    given = problem(num_rows, num_columns, 16)
    exact = with_gradients(given[0].double(), given[1].double(), given[2], given[3].double())
    for ours, expected in zip(with_gradients(*given), exact, strict=True):
        torch.testing.assert_close(ours.double(), expected, rtol=1e-4, atol=1e-4)


def test_bfloat16_is_near_float32_and_keeps_its_dtypes() -> None:
    queries, items, column, weights = problem(400, 300, 16)
    queries, items = queries.bfloat16(), items.bfloat16()  # the same numbers on both sides
    loss, grad_queries, grad_items = with_gradients(queries, items, column, weights)
    exact = with_gradients(queries.float(), items.float(), column, weights)
    assert (loss.dtype, grad_queries.dtype, grad_items.dtype) == (torch.float32, torch.bfloat16, torch.bfloat16)
    torch.testing.assert_close(loss, exact[0], rtol=0.01, atol=0)
    for ours, expected in ((grad_queries, exact[1]), (grad_items, exact[2])):
        error = (ours.float() - expected).norm() / expected.norm()
        assert error < 0.02


@pytest.mark.parametrize("scale", [1e3, 1e6])
def test_scores_beyond_the_range_of_exp_give_finite_numbers(scale: float) -> None:
    queries, items = torch.tensor([[scale], [-scale]]), torch.tensor([[1.0], [-1.0], [0.5]])
    loss, grad_queries, grad_items = with_gradients(queries, items, torch.tensor([1, 1]), torch.ones(2))
    assert loss.item() == pytest.approx(2 * scale)  # the first row's own item lies 2·scale below the best, exp is 0
    torch.testing.assert_close(grad_queries, torch.tensor([[2.0], [0.0]]))
    torch.testing.assert_close(grad_items, torch.tensor([[scale], [-scale], [0.0]]))


def test_no_gradient_is_formed_where_none_is_asked_for() -> None:
    queries, items, column, weights = problem(10, 5, 3)
    loss = tiled_softmax(queries, items, column, weights)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, with_gradients(queries, items, column, weights)[0])


def test_gradient_of_the_gradient_is_refused() -> None:
    queries, items, column, weights = problem(4, 3, 2)
    loss = tiled_softmax(queries.requires_grad_(), items, column, weights)
    (gradient,) = torch.autograd.grad(loss, queries, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        gradient.sum().backward()  # type: ignore[no-untyped-call]


def test_no_rows_lose_nothing() -> None:
    queries, items = torch.empty(0, 3, requires_grad=True), torch.ones(2, 3)
    loss = tiled_softmax(queries, items, torch.empty(0, dtype=torch.int64), torch.empty(0))
    loss.backward()  # type: ignore[no-untyped-call]
    assert loss.item() == 0
