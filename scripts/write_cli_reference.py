"""Write the command line's reference from its own help, so that the two cannot differ."""

import sys
from pathlib import Path

import typer.main
from typer.testing import CliRunner

from shortlist.cli.main import app

INTRODUCTION = """# The command line

Generated from `--help` by `scripts/docs`; a test fails where the two differ. Results go to stdout, as a table or
with `--json` as JSON; progress goes to stderr. An error is one sentence on stderr with what was expected, what came,
where, and what to do next; the exit code is 2 for a wrong choice and 1 for anything else.
"""


def reference() -> str:
    """The page as Markdown: each command's help as it prints at 100 columns."""
    runner = CliRunner()
    parts = [INTRODUCTION]
    for name in ["", *typer.main.get_group(app).commands]:  # type: ignore[attr-defined]
        arguments = [*name.split(), "--help"]
        printed = runner.invoke(app, arguments, env={"COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}).stdout
        text = "\n".join(line.rstrip() for line in printed.strip().splitlines())
        parts.append(f"## `{' '.join(['shortlist', *name.split()])}`\n\n```text\n{text}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
