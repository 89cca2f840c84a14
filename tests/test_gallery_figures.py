"""What the gallery says beside its verdicts is what the data of its figures hold."""

from __future__ import annotations

import pandas as pd

from tests.quotes import ROOT
from tests.test_gallery import rows


def drawn(experiment: str, figure: str) -> pd.DataFrame:
    """Return the data of a committed figure."""
    return pd.read_csv(ROOT / "results" / "figures" / experiment / f"{figure}.csv")


def told(figure: str) -> str:
    """Return what the one row on a figure of a paper says that has no rule."""
    (row,) = [row for row in rows() if row[0] == figure and row[4] == "no rule"]
    return row[3]


def told_beside_a_claim(figure: str) -> str:
    """Return what the first row on a figure says before its first claim."""
    row = next(row for row in rows() if row[0] == figure)
    return row[3].partition("; ")[0]


def test_eigenvalues_by_rank() -> None:
    data = drawn("width_transfer_vision", "eigenvalues_by_rank")
    data = data[(data["arm"] == "mup") & (data["step"] == 256)]

    def one(operator: str, rank: int, width: int) -> str:
        row = data.query("operator == @operator and rank == @rank and size == @width").iloc[0]
        digits = 2 if row["value"] < 10 else 0
        value, low, high = (f"{row[name]:.{digits}f}" for name in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"

    def both(operator: str, rank: int) -> str:
        return f"{one(operator, rank, 32)} and {one(operator, rank, 256)}"

    assert told("2") == (
        f"μP, step 256, width 32 against 256: Hessian {both('hessian', 1)} at rank 1, "
        f"{both('hessian', 10)} at rank 10; NTK {both('ntk', 1)}: no fan seen yet"
    )
    edges = drawn("width_transfer_vision", "width_transfer").query("panel == 'edge'")
    edge = edges.loc[edges["arm"] == "mup", "value"].iloc[0]
    top = data.query("operator == 'hessian' and rank == 1")["value"] / edge
    assert told_beside_a_claim("23") == (
        f"μP, step 256: the largest eigenvalue lies at {top.min():.2f} to {top.max():.2f} × 2/η₀ "
        "over the widths"
    )


def test_powers_of_distances_over_depths() -> None:
    data = drawn("depth_transfer", "consistency").query("quantity == 'sharpness'")

    def span(arm: str) -> str:
        powers = data.loc[data["arm"] == arm, "beta"]
        return f"{powers.min():.2f} to {powers.max():.2f}"

    assert told("22") == (
        f"β of λ over depths, 1/√L: {span('half_k1')} (k = 1), {span('half_k2')} (k = 2)"
    )


def test_when_the_sharpness_passes_the_edge() -> None:
    data = drawn("width_transfer_vision", "width_transfer")
    edge = data[data["panel"] == "edge"].groupby("arm")["value"].first()
    early = data[(data["panel"] == "sharpness") & data["x"].between(1, 64)]

    def above(arm: str) -> dict[int, list[float]]:
        own = early[early["arm"] == arm]
        return {
            int(width): own.loc[(own["size"] == width) & (own["value"] > edge[arm]), "x"].tolist()
            for width in sorted(own["size"].unique())
        }

    steps = sorted(early["x"].unique())
    first = [passed[0] for passed in above("mup").values()]
    before = steps[steps.index(min(first)) - 1]
    narrow, second, third, widest = above("ntp").values()
    assert min(len(narrow), len(second)) > 5 > len(third) > len(widest) == 0
    assert told("24") == (
        f"under μP the mean λ passes 2/η₀ between steps {before:.0f} and {max(first):.0f} at every "
        "width; under NTP, after the first step, at widths 32 and 64, hardly at 128, never at 256"
    )


def test_the_rate_of_cdat_with_averages() -> None:
    data = drawn("tuners_batch", "tuner_dynamics").query("panel == 'rate'").sort_values("x")
    rates = [data.loc[data["arm"] == f"cdat_{batch}", "value"] for batch in (16, 64, 256)]
    starts = {f"{rate.iloc[0]:.2f}" for rate in rates}
    low, high = min(starts), max(starts)
    small, middle, large = (f"{rate.max():.2f}" for rate in rates)
    assert told("8") == (
        f"under CDAT with averages η rises from {low} to {high} at the start to {small}, {middle} "
        f"and {large} at most at batches of 16, 64 and 256"
    )


def test_the_reduced_model() -> None:
    data = drawn("tuners", "tuned_model").sort_values("x")

    def course(arm: str, panel: str = "sharpness λ") -> pd.Series:
        own = data[(data["arm"] == arm) & (data["panel"] == panel)]
        return own.set_index("x")["value"]

    swings = (course("constant rate", "excess y = ηλ − 2") > 0).astype(int).diff().abs().sum()
    assert swings >= 2
    runaway = course("y = −0.1")
    assert told("4, 10") == (
        "the constant rate oscillates about y = 0; at y = −0.1 λ grows as √t, to "
        f"{runaway.iloc[-1]:.0f} at step {runaway.index[-1]:.0f}"
    )

    def late(arm: str) -> str:
        own = course(arm)
        assert own.index[-1] == 4000
        grown = own.iloc[-1] - own[own.index <= 3600].iloc[-1]
        return f"{own.iloc[-1]:.1f}, {grown:.1f} more than at step 3,600"

    rests, goes_on = late("CDAT, σ = 2"), late("CDAT, σ = 1.9")
    assert told("9, 11") == f"at σ = 2, λ after 4,000 steps is {rests}; at σ = 1.9 {goes_on}"


def test_the_coordinate_check() -> None:
    checked = pd.read_csv(ROOT / "results" / "coordinate_check.csv")
    assert checked["as_predicted"].all()
    assert told("28") == (
        f"all {checked['coordinates'].sum():,} exponents behind "
        "[its table](../results/coordinate_check.csv) are as predicted; it has rules of its own"
    )
