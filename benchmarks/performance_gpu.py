"""The section of docs/performance.md on a GPU. Not a benchmark."""

from collections.abc import Sequence

from performance_page import Page, Results, Row, layers_text, seconds_text

__all__ = ["gpu"]


def gpu(results: Results, page: Page) -> None:
    """The same trainings and evaluation on a GPU and on the processor beside it."""
    row = results.get("gpu")
    page.head("What does a GPU give?", "gpu", row)
    if row is None:
        return
    of_gpu, rates, trainings = row["gpu"], row["rates"], row["trainings"]
    told = [
        f"{rates[device]['gflop_per_s']:,.0f} GFLOP/s and {rates[device]['gb_per_s']:,.0f} GB/s"
        for device in ("cpu", "cuda")
    ]
    page.say(
        f"One {of_gpu['name']} (CUDA {of_gpu['cuda']}) beside all cores of the machine it stands in. Everything is",
        f"computed in float32, in which the processor's rates are {told[0]}, the GPU's {told[1]}. One seed, Adagrad;",
        "epochs after the first ones, in which the GPU's step becomes a graph. The memory is the most that torch took",
        "on the GPU. The last column is how far apart the losses of both came to lie at most in any epoch that both",
        "made, as a share.",
    )
    rows = [
        [
            training["table"],
            training["loss"].replace("_softmax", "").replace("_", " "),
            layers_text(training["layers"]),
            f"{training['batch_size']:,}",
            *(seconds_text(training[device]["epoch_s"]) for device in ("cpu", "cuda")),
            f"{training['epoch_ratio']:.1f} ×",
            f"{training['cuda']['peak_mib']:,.0f}",
            f"{training['loss_difference']:.0e}",
        ]
        for training in trainings
    ]
    header = ["items of", "softmax", "layers", "batch", "epoch, processor", "epoch, GPU", "ratio", "peak MiB", "apart"]
    page.table(header, rows)
    page.say(*_gpu_ratios(trainings), *_gpu_agreement(trainings))
    found = row["evaluation"]
    page.say(f"An evaluation of {found['targets']:,} targets over {found['items']:,} items of width 64:")
    rows = [
        [
            called,
            *(seconds_text(found[device][f"{name}_s"]) for device in ("cpu", "cuda")),
            f"{found['cpu'][f'{name}_s'] / found['cuda'][f'{name}_s']:.1f} ×",
        ]
        for name, called in (("products", "products alone"), ("ranks", "ranks"), ("whole", "all metrics"))
    ]
    page.table(["what", "processor", "GPU", "ratio"], rows)
    page.say(
        f"{100 * found['same_ranks']:.4g} % of the targets have the same rank on both;",
        f"the GPU held {found['cuda']['peak_mib']:,.0f} MiB at most. All metrics take in the lists of 1,000 users and",
        "a look for equal vectors, which are the processor's work on either side.",
    )


def _gpu_ratios(trainings: Sequence[Row]) -> list[str]:
    """How many times as fast epochs are, by batch, and what of validations."""
    told = []
    for size in sorted({training["batch_size"] for training in trainings}):
        ratios = [training["epoch_ratio"] for training in trainings if training["batch_size"] == size]
        told.append(f"{min(ratios):.1f} to {max(ratios):.1f} times as fast with batches of {size:,}")
    validations = [training["validation_ratio"] for training in trainings]
    return [
        f"The GPU's epochs are {', '.join(told[:-1])}, and {told[-1]}; it gains most where steps are large.",
        f"Its validations take between {1 / max(validations):.2g} and {1 / min(validations):.2g} times as long.",
    ]


def _gpu_agreement(trainings: Sequence[Row]) -> list[str]:
    """How far apart the trainings of both devices lie after one epoch, and at the end."""
    first = max(abs(t["cuda"]["losses"][0] - t["cpu"]["losses"][0]) / t["cpu"]["losses"][0] for t in trainings)
    last, metric = (max(training[name] for training in trainings) for name in ("loss_difference", "metric_difference"))
    near = sum(training["loss_difference"] < 1e-6 for training in trainings)
    return [
        f"After one epoch no two losses lie further apart than {first:.0e} of them, and in {near} of {len(trainings)}",
        "trainings no epoch's losses do by 1e-06. In the others what rounding began has grown, as it grows on a",
        "processor alone where the first weights are moved by their last digit: at most to",
        f"{last:.0e} of the loss and {metric:.3f} in top-100 accuracy. Two trainings on the GPU end in the very same",
        "weights.",
    ]
