"""What every feature type must do; a new type inherits these tests by naming its choice and some values."""

import dataclasses
import json
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.errors import DataError, SettingsError
from shortlist.features import AnyFeature, Encoded, Features, FittedFeature, Numbers, RowLists, Rows


def row(encoded: Encoded, place: int) -> Any:
    """What one value became, in a form that compares with ==."""
    match encoded:
        case Rows(rows):
            return int(rows[place])
        case Numbers(values):
            return values[place].tolist()
        case RowLists(offsets, rows):
            return rows[offsets[place] : offsets[place + 1]].tolist()


class FeatureConformance:
    choice: ClassVar[AnyFeature]
    training: ClassVar[pl.Series]
    unseen: ClassVar[Any]
    # What a missing value becomes under the default policy.
    missing: ClassVar[Any]
    # Any single value that may be asked for, missing and unseen ones among them.
    values: ClassVar[st.SearchStrategy[Any]]
    wrong: ClassVar[tuple[pl.Series, ...]]
    # What the feature calls its column, or all of its columns.
    called: ClassVar[str] = "x"
    wrong_text: ClassVar[str] = "Column 'x' should hold strings, integers or booleans, but its type is"
    no_width_text: ClassVar[str] = "width should be greater than 0, but it is 0"

    def fitted(self) -> FittedFeature:
        return self.choice.fit(self.training)

    def changed(self, **changes: Any) -> Any:
        fields = {field.name: getattr(self.choice, field.name) for field in dataclasses.fields(self.choice)}
        return type(self.choice)(**(fields | changes))

    def column(self, values: list[Any]) -> pl.Series:
        return pl.Series("x", values, dtype=self.training.dtype)

    # The strategy differs by subclass, which is meant.
    @settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.differing_executors])
    @given(data=st.data())
    def test_a_table_is_encoded_as_its_single_values_are(self, data: st.DataObject) -> None:
        fitted = self.fitted()
        values = data.draw(st.lists(self.values, max_size=20))
        whole = fitted.encode(self.column(values))
        assert len(whole) == len(values)
        for place, value in enumerate(values):
            assert row(fitted.encode(pl.Series("x", [value])), 0) == row(whole, place)

    def test_a_long_table_is_encoded_as_a_short_one_is(self) -> None:
        fitted, values = self.fitted(), [*self.training.to_list(), self.unseen, None]
        short, long = fitted.encode(self.column(values)), fitted.encode(self.column(values * 1000))
        wanted = [row(short, place) for place in range(len(values))] * 1000
        assert [row(long, place) for place in range(len(long))] == wanted

    @settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.differing_executors])
    @given(data=st.data())
    def test_saved_is_loaded(self, data: st.DataObject) -> None:
        fitted = self.fitted()
        text = json.dumps(Features((fitted,), (), ()).to_json(), allow_nan=False)
        loaded = Features.from_json(json.loads(text)).user[0]
        assert (loaded.choice, loaded.name, loaded.num_rows, loaded.width) == (
            fitted.choice,
            fitted.name,
            fitted.num_rows,
            fitted.width,
        )
        assert loaded.state() == fitted.state()
        column = self.column(data.draw(st.lists(self.values, max_size=20)))
        one, other = fitted.encode(column), loaded.encode(column)
        assert [row(one, place) for place in range(len(column))] == [row(other, place) for place in range(len(column))]

    @settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.differing_executors])
    @given(data=st.data())
    def test_rows_lie_in_the_embedding_table(self, data: st.DataObject) -> None:
        fitted = self.fitted()
        encoded = fitted.encode(self.column(data.draw(st.lists(self.values, max_size=20))))
        if isinstance(encoded, Numbers):
            assert fitted.num_rows == 0
            assert encoded.values.dtype == np.float32
            assert encoded.values.shape[1] == fitted.width
            assert np.isfinite(encoded.values).all()
        else:
            assert encoded.rows.dtype == np.int32
            assert ((encoded.rows >= 0) & (encoded.rows < fitted.num_rows)).all()

    def test_a_missing_value_is_what_the_default_policy_says(self) -> None:
        assert row(self.fitted().encode(self.column([None])), 0) == self.missing

    def test_a_column_of_missing_values_without_a_type_is_encoded_too(self) -> None:
        encoded = self.fitted().encode(pl.Series("x", [None, None]))
        assert [row(encoded, place) for place in range(2)] == [self.missing] * 2

    def test_missing_values_are_refused_in_training_where_the_policy_says_so(self) -> None:
        values = [self.training[0], None, None]
        text = (
            f"Column '{self.called}' has 2 missing values, the first in row 1, and its feature says missing=\"error\""
        )
        with pytest.raises(DataError, match=text):
            self.changed(missing="error").fit(self.column(values))

    def test_missing_values_are_refused_in_a_query_where_the_policy_says_so(self) -> None:
        fitted = self.changed(missing="error").fit(self.training.drop_nulls())
        with pytest.raises(DataError, match=f"Column '{self.called}' has 1 missing values, the first in row 0"):
            fitted.encode(self.column([None]))

    def test_columns_of_another_type_are_refused(self) -> None:
        fitted = self.fitted()
        for column in self.wrong:
            with pytest.raises(DataError, match=self.wrong_text):
                self.choice.fit(column)
            with pytest.raises(DataError, match=self.wrong_text):
                fitted.encode(column)

    def test_a_width_of_zero_is_refused(self) -> None:
        with pytest.raises(SettingsError, match=self.no_width_text):
            self.changed(width=0)

    def test_an_unknown_policy_for_missing_values_is_refused(self) -> None:
        with pytest.raises(SettingsError, match=r"missing\S* should be .* but it is 'perhaps'"):
            self.changed(missing="perhaps")

    def test_a_value_of_training_is_known_and_a_missing_one_is_not(self) -> None:
        assert self.fitted().known(self.column([self.training[0], None])).tolist() == [True, False]

    def test_a_table_without_rows_is_encoded(self) -> None:
        assert len(self.fitted().encode(self.column([]))) == 0

    def test_its_name_is_its_kind_and_column(self) -> None:
        assert self.fitted().name == f"{self.choice.kind}_{self.called}"

    def test_encoding_teaches_it_nothing(self) -> None:
        fitted = self.fitted()
        before = json.dumps(fitted.state())
        fitted.encode(self.column([self.unseen, None]))
        assert json.dumps(fitted.state()) == before
