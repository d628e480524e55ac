"""Messages of values as tables of pandas, polars and Arrow."""

import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flexiciency.contract.codec import AGGREGATED, AggregatesMessage, ValuesMessage
from flexiciency.contract.series import Quality, Series, TimeStep
from tests.contract.test_codec import HEADER, START, series
from tests.contract.test_codec_aggregates import aggregate
from tests.contract.test_codec_aggregates import header as aggregates_header

QUARTER = timedelta(minutes=15)
VALUES = ValuesMessage(
    replace(HEADER, version=7),
    [
        series([1500, -5, 0], qualities=[0, Quality.ESTIMATED, Quality.MISSING]),
        series([2_147_483_647], pod="AT2"),
        series([12], start=START + 4 * QUARTER),
    ],
)
ROWS = [
    ("AT1", START, Decimal("1.500"), "Measured", 7),
    ("AT1", START + QUARTER, Decimal("-0.005"), "Estimated", 7),
    ("AT1", START + 2 * QUARTER, None, "Missing", 7),
    ("AT2", START, Decimal("2147483.647"), "Measured", 7),
    ("AT1", START + 4 * QUARTER, Decimal("0.012"), "Measured", 7),
]
AGGREGATES = AggregatesMessage(
    aggregates_header(), [aggregate("AT/Linz", [2**40, 1], pods=12), aggregate("AT/Wels", [3], [Quality.CALCULATED])]
)
AGGREGATE_ROWS = [
    ("AT/Linz", 12, START, Decimal("1099511627.776"), "Measured", 1),
    ("AT/Linz", 12, START + QUARTER, Decimal("0.001"), "Measured", 1),
    ("AT/Wels", 7, START, Decimal("0.003"), "Calculated", 1),
]


def exact(table: Any) -> list[tuple[Any, ...]]:
    """The rows of an Arrow table."""
    return [tuple(row.values()) for row in table.to_pylist()]


def rounded(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Rows whose decimals are the nearest doubles."""
    return [tuple(float(cell) if isinstance(cell, Decimal) else cell for cell in row) for row in rows]


@pytest.mark.parametrize(("message", "rows"), [(VALUES, ROWS), (AGGREGATES, AGGREGATE_ROWS)])
def test_an_arrow_table_has_a_row_for_each_value_exact(message: Any, rows: list[tuple[Any, ...]]) -> None:
    table = message.to_arrow()
    table.validate(full=True)
    assert exact(table) == rows
    assert table.schema.metadata == {b"quantity": b"EnergyConsumption", b"unit": b"kWh"}
    assert str(table.schema.field("value").type) == "decimal128(18, 3)"


@pytest.mark.parametrize(("message", "rows"), [(VALUES, ROWS), (AGGREGATES, AGGREGATE_ROWS)])
def test_a_polars_table_has_the_same_rows(message: Any, rows: list[tuple[Any, ...]]) -> None:
    table = message.to_polars()
    assert table.rows() == rounded(rows)
    assert str(table.schema["timestamp"]) == "Datetime(time_unit='us', time_zone='UTC')"


@pytest.mark.parametrize(("message", "rows"), [(VALUES, ROWS), (AGGREGATES, AGGREGATE_ROWS)])
def test_a_pandas_table_has_the_same_rows(message: Any, rows: list[tuple[Any, ...]]) -> None:
    table = message.to_pandas()
    assert table.attrs == {"quantity": "EnergyConsumption", "unit": "kWh"}
    assert str(table["timestamp"].dtype) == "datetime64[us, UTC]"
    assert str(table["quality"].dtype) == "category"
    found = [tuple(None if cell != cell else cell for cell in row) for row in table.itertuples(index=False)]  # noqa: PLR0124  NaN
    assert found == rounded(rows)


def test_columns_are_named_after_what_they_hold() -> None:
    individual = ["pod", "timestamp", "value", "quality", "version"]
    aggregated = ["aggregation_id", "pods", "timestamp", "value", "quality", "version"]
    for message, expected in ((VALUES, individual), (AGGREGATES, aggregated)):
        assert list(message.to_pandas().columns) == expected
        assert message.to_polars().columns == expected
        assert message.to_arrow().column_names == expected


@given(st.lists(st.integers(-AGGREGATED.most, AGGREGATED.most), min_size=1, max_size=20))
def test_every_value_comes_through_exact_in_arrow_and_to_three_places_in_pandas(values: list[int]) -> None:
    message = AggregatesMessage(aggregates_header(), [aggregate("AT", values)])
    assert message.to_arrow()["value"].to_pylist() == [Decimal(value).scaleb(-3) for value in values]
    assert [f"{value:.3f}" for value in message.to_pandas()["value"]] == [
        f"{Decimal(value).scaleb(-3):.3f}" for value in values
    ]


def test_local_days_have_their_own_starts_and_without_them_no_table() -> None:
    starts = np.array([0, 90_000], dtype=np.int64)
    first = datetime(1970, 1, 1, tzinfo=UTC)
    daily = Series("AT1", first, TimeStep.P1D, np.array([1, 2], dtype=np.int32), None, starts)
    header = replace(HEADER, time_step=TimeStep.P1D)
    stamps = ValuesMessage(header, [daily]).to_arrow()["timestamp"].to_pylist()
    assert stamps == [first, first + timedelta(hours=25)]
    with pytest.raises(ValueError, match="request them Explicit"):
        ValuesMessage(header, [replace(daily, starts=None)]).to_pandas()


@pytest.mark.parametrize(("library", "extra"), [("pandas", "pandas"), ("polars", "polars"), ("pyarrow", "arrow")])
def test_a_library_that_is_missing_is_named_with_its_extra(
    library: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ModuleNotFoundError, match=rf"pip install 'flexiciency\[{extra}\]'"):
        getattr(VALUES, f"to_{extra}")()
