"""Commands that make a new bundle from another; none of them needs torch."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import shortlist as sl
from shortlist.cli.answers import BundlePath
from shortlist.cli.output import AsJson, show
from shortlist.errors import SettingsError

__all__ = ["commands"]

commands = typer.Typer()
NewBundle = Annotated[Path, typer.Option(help="The new folder of the bundle that comes out.")]


@commands.command(epilog="Example: shortlist index films --recall 0.95 -k 100 --out films-ivf")
def index(
    bundle: BundlePath,
    out: NewBundle,
    kind: Annotated[
        Literal["ivf", "exact"],
        typer.Option(help="ivf: approximate, by FAISS, tuned to --recall; or exact."),
    ] = "ivf",
    recall: Annotated[float, typer.Option(help="ivf: the share of the exact list that must be found.")] = 0.95,
    k: Annotated[int, typer.Option("-k", "--k", min=1, help="The length of the lists that are compared.")] = 100,
    precision: Annotated[
        Literal["float32", "float16", "int8"], typer.Option(help="exact: the numbers that vectors are kept in.")
    ] = "float32",
    seed: Annotated[int, typer.Option(min=0, help="ivf: fixes which users choose the index, and its lists.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Make the bundle anew with another index, tuned to a recall and measured beside exact search."""
    from shortlist.bundle import refuse_existing  # here, for it brings what --help should not wait for

    refuse_existing(out)  # before the tuning, which takes minutes over large catalogues
    loaded = sl.load_bundle(bundle)
    if kind == "exact":
        made = sl.with_exact_index(loaded, precision, k=k)
    else:
        made = sl.with_tuned_index(loaded, k=k, target_recall=recall, seed=seed)
    sl.save_bundle(made, out)
    result = {"bundle": str(out), **vars(made.index)} if made.index else {}
    result.pop("structure", None)
    show(result, as_json, lambda: typer.echo(_told(result, out)))


def _told(result: dict[str, Any], out: Path) -> str:
    settings = ", ".join(f"{name} {value}" for name, value in result["settings"].items())
    lines = [f"index: {settings}"]
    measured = result["measured"]
    if measured is not None:
        exact, approximate, k = measured["exact"], measured["approximate"], measured["k"]
        lines += [
            f"recall@{k}: {measured['recall']:.4f} on {measured['num_queries']:,} queries; "
            f"1 % of them stay below {measured['recall_p1']:.3f}",
            f"one query: p50 {approximate['p50_ms']:.3f} ms and p99 {approximate['p99_ms']:.3f} ms; exact "
            f"{exact['p50_ms']:.3f} and {exact['p99_ms']:.3f} ms",
            _ndcg_told(measured["ndcg"], k),
        ]
        if not measured["faster_than_exact"]:
            lines.append("Exact search of whole vectors is as fast, and misses nothing: keep the bundle as it was.")
    return "\n".join([*lines, f"wrote {out}"])


def _ndcg_told(ndcg: dict[str, Any], k: int) -> str:
    if "not_computed" in ndcg:
        return f"NDCG@{k}: not computed: {ndcg['not_computed']}"
    return (
        f"NDCG@{k} of {ndcg['events']:,} test events: {ndcg['approximate']:.4f}, exact {ndcg['exact']:.4f}: "
        f"a loss of {ndcg['loss']:.4f}"
    )


@commands.command(epilog="Example: shortlist retire films --item 50 --item 181 --out films-2")
def retire(
    bundle: BundlePath,
    out: NewBundle,
    item: Annotated[list[str] | None, typer.Option(help="The id of an item. Repeat it.")] = None,
    bring_back: Annotated[bool, typer.Option("--bring-back", help="Put the items in service again.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the bundle anew without some items: they stay in histories, and never come back in a list."""
    if not item:
        raise SettingsError("retire wants the ids of the items, such as --item 50. Repeat it for each.")
    made = sl.retire_items(sl.load_bundle(bundle), item, bring_back=bring_back)
    sl.save_bundle(made, out)
    count = int(made.items["retired"].sum())
    show(
        {"bundle": str(out), "retired": count},
        as_json,
        lambda: typer.echo(f"{count:,} of {made.items.height:,} items are retired.\nwrote {out}"),
    )
