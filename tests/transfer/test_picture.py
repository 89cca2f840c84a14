"""The picture of a judgement: drawn from any table that is judged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lrtransfer.transfer.judge import judge
from lrtransfer.transfer.picture import _figure, _short

from .tables import sweep_table, two_axis_table

COLUMNS: dict[str, Any] = {
    "size": "width",
    "rate": "lr",
    "loss": "loss",
    "seed": "seed",
    "arm": "method",
}
TABLE = sweep_table({f"arm {i}": -i / 10 for i in range(5)}, grid=range(-7, 1), seeds=(0, 1))


def test_it_has_a_row_for_each_arm_and_a_panel_for_each_size() -> None:
    found = judge(TABLE, **COLUMNS)
    figure = _figure(found, found.predict(width=1024))
    assert len(figure.axes) == 4 * 2
    valleys, rates, *_ = figure.axes
    assert valleys.get_legend().get_texts()[0].get_text() == "width 64"
    assert {"measured", "law", "predicted"} == {
        text.get_text() for text in rates.get_legend().get_texts()
    }
    assert figure.get_suptitle() == "4 of 5 arms"
    low, high = rates.get_ylim()
    assert high / low >= 15.9


def test_two_axes_are_drawn_one_by_one_with_the_other_held_by_the_law() -> None:
    found = judge(two_axis_table(0), ["N", "D"], "lr", "loss", "seed", tuned="batch")
    _, over_n, over_d = _figure(found, None).axes
    assert over_n.get_ylabel() == "best learning rate at D 4B"
    assert over_d.get_ylabel() == "best learning rate at N 40M"


@pytest.mark.parametrize(
    "table",
    [
        TABLE.assign(loss=np.inf),
        TABLE[TABLE.width == 64],
        TABLE[TABLE.lr == 0.125],
        TABLE[TABLE.lr < 0.1],
        TABLE.assign(loss=1e90 * TABLE.loss),
        TABLE.assign(loss=TABLE.loss - 3, method="$x_{1}$" * 9),
    ],
    ids=["all diverged", "one size", "one rate", "open", "huge", "negative, odd names"],
)
def test_poor_tables_are_drawn_too(table: pd.DataFrame, tmp_path: Path) -> None:
    few = table[table.method.isin(["arm 0"]) | ~table.method.str.startswith("arm")]
    few = few.drop_duplicates(["width", "lr", "seed"])
    judge(few, **COLUMNS).figure(tmp_path / "f.svg", predict={"width": 1024})
    assert (tmp_path / "f.svg").stat().st_size > 1000


def test_numbers_are_short() -> None:
    numbers = (0.00390625, 512, 12_000, 1.3e9)
    assert [_short(n) for n in numbers] == ["0.003906", "512", "12k", "1.3B"]
