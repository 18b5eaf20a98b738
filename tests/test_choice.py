import copy
import dataclasses
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, TypeAdapter, ValidationError

from shortlist.choice import Number, Positive, Whole, choice, explain
from shortlist.errors import SettingsError


@choice
class Stride:
    length: Positive
    pace: Literal["walk", "run"] = "walk"
    stops: tuple[Positive, ...] = ()
    load: Annotated[Whole, Field(ge=2)] | tuple[Number, ...] = 2

    def __post_init__(self) -> None:
        if self.pace == "run" and self.stops:
            raise SettingsError("who runs makes no stops.")


@choice
class Journey:
    stride: Stride
    days: Annotated[tuple[Whole, ...], Field(min_length=1)] = (1,)


def made(**fields: Any) -> Stride:
    return Stride(**fields)


class TestMade:
    def test_fields_may_be_given_by_place_or_by_name(self) -> None:
        assert Stride(3, "run") == Stride(length=3, pace="run")

    def test_it_is_frozen(self) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'length'"):
            Stride(3).length = 4  # type: ignore[misc]

    def test_equal_choices_are_one_key(self) -> None:
        assert len({Stride(3), Stride(3), Stride(4)}) == 2

    def test_a_list_becomes_a_tuple(self) -> None:
        assert made(length=3, stops=[1, 2]).stops == (1, 2)

    def test_it_is_a_dataclass_that_can_be_copied_replaced_and_taken_apart(self) -> None:
        stride = Stride(3)
        assert copy.deepcopy(stride) == stride
        assert dataclasses.replace(stride, length=4) == Stride(4)
        assert dataclasses.asdict(stride) == {"length": 3, "pace": "walk", "stops": (), "load": 2}

    def test_replacing_checks_anew(self) -> None:
        with pytest.raises(SettingsError, match="Stride: length should be greater than 0, but it is -1"):
            dataclasses.replace(Stride(3), length=-1)


class TestRefused:
    @pytest.mark.parametrize(
        ("fields", "text"),
        [
            ({"length": 0}, "length should be greater than 0, but it is 0."),
            (
                {"length": "far"},
                "length should be a valid integer, but it is 'far'.",
            ),
            ({"length": 2.5}, "length should be a valid integer, but it is 2.5."),
            ({"length": None}, "length should be a valid integer, but it is None."),
            ({}, "length is missing."),
            ({"length": 1, "pace": "fly"}, "pace should be 'walk' or 'run', but it is 'fly'."),
            ({"length": 1, "lenght": 2}, "lenght is not a known key; take it out or correct its spelling."),
            ({"length": 1, "stops": [1, 0]}, "stops.1 should be greater than 0, but it is 0."),
            ({"length": 1, "load": "x"}, "load should be a valid integer, or should be a valid list, but it is 'x'."),
            ({"length": 1, "load": [1, "x"]}, "load should be a valid integer, but it is [1, 'x']. load.1 should be a"),
            ({"length": "3"}, "length should be a valid integer, but it is '3'."),
            ({"length": True}, "length should be a valid integer, but it is True."),
            ({"length": 1, "pace": "run", "stops": [1]}, "who runs makes no stops."),
            ({"length": 0, "pace": "fly"}, "length should be greater than 0, but it is 0. pace should be 'walk'"),
        ],
        ids=str,
    )
    def test_a_field_is_named_with_what_was_expected_and_what_came(self, fields: dict[str, Any], text: str) -> None:
        with pytest.raises(SettingsError) as caught:
            made(**fields)
        assert str(caught.value).startswith(f"Stride: {text}")

    def test_a_field_given_by_place_is_named_too(self) -> None:
        with pytest.raises(SettingsError, match="Stride: length should be greater than 0, but it is -7"):
            Stride(-7)

    def test_an_argument_too_many_is_shown(self) -> None:
        with pytest.raises(SettingsError, match="Stride: 'surplus' is one argument too many"):
            Stride(1, "walk", (), 2, "surplus")  # type: ignore[call-arg]

    def test_a_long_value_is_cut_short(self) -> None:
        with pytest.raises(SettingsError) as caught:
            made(length="x" * 500)
        assert str(caught.value).endswith(f"but it is '{'x' * 56}....")

    def test_a_choice_inside_a_choice_is_named_by_its_path(self) -> None:
        fields: Any = {"length": 0}
        with pytest.raises(SettingsError, match=r"Journey: stride\.length should be greater than 0, but it is 0\."):
            Journey(stride=fields)

    def test_nothing_hangs_on_the_error_of_the_validator(self) -> None:
        with pytest.raises(SettingsError) as caught:
            Stride(0)
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__


class TestExplain:
    def test_a_list_is_not_called_too_short_for_the_entries_that_were_refused(self) -> None:
        problem = explain(self.problems({"stride": {"length": 1}, "days": ["one"]}))
        assert problem == "days.0 should be a valid integer, but it is 'one'."

    def test_a_list_that_is_too_short_is_called_so(self) -> None:
        assert explain(self.problems({"stride": {"length": 1}, "days": []})) == (
            "days should have at least 1 entry, but it is []."
        )

    def test_a_value_that_is_no_table_is_said_to_be_none(self) -> None:
        assert explain(self.problems(5)).startswith("the value should be a dictionary")

    def problems(self, value: object) -> list[Any]:
        with pytest.raises(ValidationError) as caught:
            TypeAdapter(Journey).validate_python(value)
        return list(caught.value.errors())
