import pandas as pd
import pytest

from lrtransfer.transfer.size import size_axis, with_size


def nets(widths: list[int], depths: list[int]) -> pd.DataFrame:
    return pd.DataFrame([{"width": w, "depth": d} for w in widths for d in depths])


@pytest.mark.parametrize(
    ("widths", "depths", "axis"),
    [
        ([32, 64], [3], "width"),
        ([32], [3, 6], "depth"),
        ([32], [3], "width"),
        ([32, 64], [3, 6], "width"),
    ],
)
def test_the_axis_is_the_depth_only_if_the_depth_alone_varies(
    widths: list[int], depths: list[int], axis: str
) -> None:
    assert size_axis(nets(widths, depths)) == axis


def test_size_is_the_varied_number_and_fixed_the_other_one() -> None:
    deep = with_size(nets([32], [3, 6]))
    assert deep["size"].tolist() == [3, 6] and set(deep["fixed"]) == {32}
    both = with_size(nets([32, 64], [3, 6]))
    assert both["size"].tolist() == [32, 32, 64, 64]
    assert both["fixed"].tolist() == [3, 6, 3, 6]
    assert set(both["axis"]) == {"width"}


def test_runs_without_a_depth_are_refused() -> None:
    with pytest.raises(ValueError, match="depth"):
        size_axis(pd.DataFrame({"width": [32]}))
