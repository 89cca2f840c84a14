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


def lengths(*of: tuple[str, int, int]) -> pd.DataFrame:
    """Runs of one net by arm, batch size and steps."""
    runs = [{"width": 32, "depth": 3, "arm": a, "batch_size": b, "steps": n} for a, b, n in of]
    return pd.DataFrame(runs)


def test_batch_and_duration_are_axes_where_they_vary_within_an_arm() -> None:
    batches = with_size(lengths(("a", 8, 64), ("a", 16, 32), ("b", 8, 64)))
    assert set(batches["axis"]) == {"batch"}
    assert batches["size"].tolist() == [8, 16, 8] and set(batches["fixed"]) == {32}
    longer = with_size(lengths(("a", 8, 64), ("a", 8, 32)))
    assert set(longer["axis"]) == {"duration"} and longer["size"].tolist() == [512, 256]


def test_arms_of_different_batches_are_no_axis() -> None:
    assert size_axis(lengths(("a", 8, 64), ("b", 16, 32))) == "width"


def test_runs_without_a_depth_are_refused() -> None:
    with pytest.raises(ValueError, match="depth"):
        size_axis(pd.DataFrame({"width": [32]}))
