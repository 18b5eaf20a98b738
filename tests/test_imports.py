"""What loads when: the command line's help loads nothing heavy, and rooms without torch stay without it."""

import subprocess
import sys

import pytest

import shortlist as sl

HEAVY = ("pydantic", "polars", "numpy", "torch", "onnxruntime", "optuna")
WITHOUT_TORCH = (
    "errors", "atomic", "choice", "data", "features", "settings", "metrics", "index", "baselines", "evaluation",
    "bundle", "doctor", "recommender", "report", "serving", "cli.main",
)  # fmt: skip


def _loaded(code: str) -> set[str]:
    code = f"import sys\n{code}\nprint('loaded:', *sorted(sys.modules))"
    printed = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout
    return set(printed.partition("loaded:")[2].split())


def test_help_loads_nothing_heavy() -> None:
    code = (
        "from shortlist.cli.main import main\n"
        "sys.argv = ['shortlist', '--help']\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code == 0"
    )
    assert not _loaded(code) & set(HEAVY)


def test_the_package_root_loads_nothing_heavy() -> None:
    assert not _loaded("import shortlist") & {*HEAVY, "typer"}


def test_a_room_without_torch_loads_without_it() -> None:
    # All in one process, where libraries are loaded once; each room is loaded anew, as if it were the only one.
    code = (
        "import importlib\n"
        f"for room in {WITHOUT_TORCH}:\n"
        "    for name in [name for name in sys.modules if name.partition('.')[0] == 'shortlist']:\n"
        "        del sys.modules[name]\n"
        "    importlib.import_module(f'shortlist.{room}')\n"
        "    brought = {'torch', 'onnx', 'onnxscript'} & set(sys.modules)\n"
        "    assert not brought, (room, brought)"
    )
    _loaded(code)


def test_choosing_everything_but_a_model_needs_no_torch() -> None:
    code = (
        "import shortlist as sl\n"
        "sl.InBatchSoftmax(); sl.Adagrad(0.1); sl.Training(); sl.Protocol(); sl.Lookup('a'); sl.load_preset('tutorial')"
    )
    assert "torch" not in _loaded(code)


def test_every_public_name_can_be_had() -> None:
    for name in sl.__all__:
        assert getattr(sl, name) is not None
    assert dir(sl) == sl.__all__
    with pytest.raises(AttributeError, match="module 'shortlist' has no attribute 'nothing'"):
        sl.nothing  # noqa: B018


@pytest.mark.parametrize(
    ("library", "name", "extra"),
    [("torch", "TwoTower", "train"), ("torch", "tune", "train"), ("optuna", "tune", "tune")],
)
def test_a_missing_extra_names_the_install_command(library: str, name: str, extra: str) -> None:
    code = (
        "import importlib.util as util, sys\n"
        "found = util.find_spec\n"
        f"util.find_spec = lambda name, *a: None if name == {library!r} else found(name, *a)\n"
        "import shortlist\n"
        f"try:\n    shortlist.{name}\nexcept ImportError as error:\n    print(error)"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert f"needs {library}, which is not installed. Install it with: pip install 'shortlist[{extra}]'" in printed
