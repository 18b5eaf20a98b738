"""What only a GPU can show: it ends where the processor does, and each time in the very same weights."""

import math
from typing import Any, Literal

import numpy as np
import pytest
import torch

import shortlist as sl
from shortlist.evaluation import rank_targets
from shortlist.training.optimizers.rows import used_rows

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is here")

TRAININGS: dict[str, dict[str, Any]] = {
    "adagrad": {},
    "rows": {"optimizer": sl.LazyAdam(0.01)},
    "adamw with a falling rate": {"optimizer": sl.AdamW(0.01), "decay": "cosine", "dropout": 0.3},
    "full softmax": {"loss": sl.FullSoftmax()},
    "a memory": {"loss": sl.InBatchSoftmax(memory_batches=2, log_q=True)},
}


def trained(
    split: sl.Split,
    device: Literal["cpu", "cuda"],
    *,
    loss: Any = None,
    optimizer: Any = None,
    dropout: float = 0.0,
    **training: Any,
) -> sl.Run:
    query: list[Any] = [sl.Lookup("user_id", width=8), sl.History("item_id", pooling="attention", width=8)]
    features = sl.fit_features(query, [sl.Lookup("item_id", width=8), sl.Text("title", width=8)], on=split.train)
    return sl.train(
        sl.TwoTower(features, layers=[16, 8], dropout=dropout),
        split,
        loss=loss,
        optimizer=optimizer or sl.Adagrad(0.5),
        training=sl.Training(epochs=8, batch_size=64, watch="test", seed=3, device=device, **training),
        progress=False,
    )


@pytest.mark.parametrize("settings", TRAININGS.values(), ids=TRAININGS.keys())
def test_one_seed_gives_the_same_weights_each_time(shop_split: sl.Split, settings: dict[str, Any]) -> None:
    runs = [trained(shop_split, "cuda", **settings) for _ in range(2)]
    for first, second in zip(*(run.model.state_dict().values() for run in runs), strict=True):
        assert torch.equal(first, second)
    assert runs[0].history.epochs[-1].metrics == runs[1].history.epochs[-1].metrics


@pytest.mark.parametrize(
    "settings", [case for case in TRAININGS.values() if "dropout" not in case], ids=lambda case: ", ".join(case)
)
def test_losses_are_those_of_the_processor(shop_split: sl.Split, settings: dict[str, Any]) -> None:
    runs = trained(shop_split, "cpu", **settings), trained(shop_split, "cuda", **settings)
    losses = [[epoch.loss for epoch in run.history.epochs] for run in runs]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)


def test_ranks_are_those_of_the_processor() -> None:
    generator = np.random.default_rng(0)
    # Whole numbers, so that every order of summation gives the same score.
    items, queries = (torch.from_numpy(generator.integers(-9, 9, size=(n, 8))).float() for n in (100_000, 300))
    own = generator.integers(len(items), size=len(queries))
    found = []
    for device in ("cpu", "cuda"):
        vectors, asking = items.to(device), queries.unsqueeze(1).to(device)
        found.append(rank_targets(lambda rows, asking=asking: asking[torch.from_numpy(rows)], vectors, own))  # type: ignore[misc]
    assert found[0].higher.tolist() == found[1].higher.tolist()
    assert found[0].ties.tolist() == found[1].ties.tolist()


def test_rows_used_are_summed_as_on_the_processor() -> None:
    rows, values = torch.randint(1_000, (1, 20_000)), torch.randn(20_000, 8)
    sums = []
    for device in ("cpu", "cuda", "cuda"):
        gradient = torch.sparse_coo_tensor(rows, values, (1_000, 8), device=device, check_invariants=True)
        sums.append([tensor.cpu() for tensor in used_rows(gradient)])
    assert torch.equal(sums[0][0], sums[1][0])
    torch.testing.assert_close(sums[0][1], sums[1][1], rtol=1e-4, atol=1e-4 * math.sqrt(20))
    assert torch.equal(sums[1][1], sums[2][1])
