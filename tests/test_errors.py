import pytest

from shortlist import errors
from shortlist.errors import DataError, MissingExtraError, ShortlistError, UnknownIdError, require_extra, shorten

BUILT_IN = {
    "BundleError": ValueError,
    "CheckpointError": ValueError,
    "CollapsedError": ArithmeticError,
    "DataError": ValueError,
    "DivergedError": ArithmeticError,
    "DownloadError": OSError,
    "MissingExtraError": ImportError,
    "SettingsError": ValueError,
    "TrackingError": OSError,
    "TuningError": RuntimeError,
    "UnknownIdError": KeyError,
}


def test_every_error_of_the_room_is_in_the_table() -> None:
    assert {name for name in errors.__all__ if name.endswith("Error")} == BUILT_IN.keys() | {"ShortlistError"}


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_error_is_ours_and_also_one_of_pythons(name: str) -> None:
    made = getattr(errors, name)
    assert issubclass(made, ShortlistError)
    assert issubclass(made, BUILT_IN[name])


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_error_shows_its_sentence_as_it_is(name: str) -> None:
    assert str(getattr(errors, name)("There is no item 'tea'.")) == "There is no item 'tea'."


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_error_stands_in_the_tree_of_the_docstring(name: str) -> None:
    assert f"── {name} ({BUILT_IN[name].__name__})" in (errors.__doc__ or "")


def test_an_unknown_id_is_an_error_in_the_data() -> None:
    assert issubclass(UnknownIdError, DataError)


class TestRequireExtra:
    def test_nothing_happens_where_all_is_installed(self) -> None:
        require_extra("train", ["json", "csv"])

    def test_what_is_missing_is_named_with_the_command_that_installs_it(self) -> None:
        with pytest.raises(MissingExtraError) as caught:
            require_extra("report", ["no_such_one", "json", "no_such_other"])
        assert str(caught.value) == (
            "This needs no_such_one, no_such_other, which is not installed. "
            "Install it with: pip install 'shortlist[report]'"
        )


class TestShorten:
    def test_a_few_values_are_shown_whole(self) -> None:
        assert shorten(["a", 1, None]) == "'a', 1, None"

    def test_as_many_as_the_limit_are_shown_whole(self) -> None:
        assert shorten("abc", limit=3) == "'a', 'b', 'c'"

    def test_more_are_counted(self) -> None:
        assert shorten(range(1000)) == "0, 1, 2, 3, 4, … (1000 in all)"

    def test_none_are_no_text(self) -> None:
        assert shorten([]) == ""
