"""Powers of two, axes of them, shares."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrtransfer.study.plan import axes


def read(text: object) -> list[float]:
    """Return the numbers of an axis."""
    return [axes.rate(one) for one in axes.rates(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2^-1 .. 2^1", [0.5, 1.0, 2.0]),
        ("2^-1..2^0 by 1/2", [0.5, 2**-0.5, 1.0]),
        ("2^-6 .. 2^4 by 2", [2.0**n for n in range(-6, 5, 2)]),
        ("2^0 .. 2^0.8 by 0.4", [1.0, 2**0.4, 2**0.8]),
        ("2^0 .. 2^0", [1.0]),
        ("2^-3", [0.125]),
        (0.3, [0.3]),
        ([0.3, "2^-1"], [0.3, 0.5]),
    ],
)
def test_an_axis_has_both_its_ends(text: object, expected: list[float]) -> None:
    assert read(text) == expected


@given(start=st.integers(-20, 20), octaves=st.integers(0, 20), parts=st.integers(1, 16))
def test_an_axis_has_equal_steps(start: int, octaves: int, parts: int) -> None:
    found = read(f"2^{start} .. 2^{start + octaves} by 1/{parts}")
    assert len(found) == octaves * parts + 1
    assert found == pytest.approx([2.0 ** (start + i / parts) for i in range(len(found))])
    assert found[-1] == 2.0 ** (start + octaves)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2^0 .. 2^1 by 0.4", r"do not meet 2\^1\. End at 2\^0\.8"),
        ("2^0 .. 2^1 by 2", r"End at 2\^0"),
        ("2^1 .. 2^0", "Swap them"),
        ("2^0 .. 2^1 by 1/200", "Give at least 1/100"),
        ("2^0 .. 2^99", "from -64 to 64"),
        ("1 .. 2", "is no axis"),
        ("2^x", "is no axis"),
        ("1e-3", "an exponent needs a dot"),
    ],
)
def test_what_is_no_axis_is_refused_with_a_remedy(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(text)


def test_a_share_is_rounded_and_never_nothing() -> None:
    assert [axes.share("1/4", n) for n in (256, 250, 10, 1)] == [64, 62, 2, 1]
    assert axes.share(5, 256) == 5
