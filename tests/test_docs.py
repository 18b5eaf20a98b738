"""What the documents promise: links that lead somewhere, rooms that are there, examples that run."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
import typer.main

from shortlist.cli.main import app
from shortlist.features import FEATURE_KINDS
from shortlist.settings.experiment import FeatureSettings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
README = (ROOT / "README.md").read_text("utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(text: str) -> list[list[str]]:
    """The shortlist commands in a document's shell blocks and inline code, as lists of words."""
    shell = "\n".join(blocks(text, "bash")).replace("\\\n", " ")
    inline = re.findall(r"`(shortlist [a-z][^`]*)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL).replace("\n", " "))
    lines = [line.partition("#")[0].partition(">")[0] for line in [*shell.splitlines(), *inline]]
    return [re.findall(r'"[^"]*"|\S+', line)[1:] for line in lines if line.startswith("shortlist ")]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_to_one(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text("utf-8"))
    missing = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_documents_parses(document: Path) -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for verb, *arguments in commands(document.read_text("utf-8")):
        if verb.startswith("-"):
            continue
        command = known[verb]
        if arguments and "--help" not in arguments:  # a bare name only speaks of the command
            command.make_context(verb, [word.strip('"') for word in arguments])


def test_the_readmes_tree_names_every_room() -> None:
    tree = README[README.index("```\nsrc/shortlist/") :]
    named = set(re.findall(r"^  ([a-z]+)/ ", tree[: tree.index("\n```\n")], flags=re.MULTILINE))
    rooms = {path.parent.name for path in (ROOT / "src/shortlist").glob("*/__init__.py")}
    assert named == rooms


def test_your_own_data_shows_every_feature_as_an_experiment_file_writes_it() -> None:
    guide = (ROOT / "docs" / "your-own-data.md").read_text("utf-8")
    table = "\n".join(re.findall(r"^\|.*", guide, flags=re.MULTILINE))
    entries = [tomllib.loads(f"feature = {text}")["feature"] for text in re.findall(r"`(\{ .*? \})`", table)]
    chosen = FeatureSettings.model_validate({"query": entries, "item": entries})
    assert {feature.kind for feature in chosen.query} == set(FEATURE_KINDS)


@pytest.mark.network
def test_the_readmes_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (example,) = blocks(README, "python")
    assert "epochs=20" in example
    monkeypatch.chdir(tmp_path)
    (tmp_path / "example.py").write_text(example.replace("epochs=20", "epochs=1"), "utf-8")
    runpy.run_path("example.py")
    printed = capsys.readouterr().out
    assert ": top 100 accuracy" in printed
    assert "(" in printed.splitlines()[1]
    assert "query: known" in printed
    assert (tmp_path / "films" / "manifest.json").is_file()
