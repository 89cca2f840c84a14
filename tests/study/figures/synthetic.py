"""A made-up study with three arms, in the shape of the stored tables."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from lrtransfer.study.evidence.estimates import Of, Row, courses_table, table
from lrtransfer.study.evidence.experiment import Experiment
from lrtransfer.study.figures.tables import Arm, Settings, Tables
from lrtransfer.transfer.estimate import Estimate, Part, Unit

EXPERIMENT = "width_transfer_vision"
STEPS = 256
ARMS = {
    "mup": Arm("μP", 1.0, STEPS, 64),
    "ntp": Arm("NTP", 16.0, STEPS, 64),
    "sp": Arm("SP", 0.0625, STEPS, 64),
}
#: The edge of stability of each arm under plain gradient descent.
EDGES = {"mup": 2.0, "ntp": 0.125, "sp": 32.0}
_SGD = {"momentum": 0.0}
_SIZES = (32, 64, 128, 256, 512)
_GRIDS = {"mup": range(-3, 4), "ntp": range(2, 10), "sp": range(-7, 0)}
_DRIFT = {"mup": 0.0, "ntp": 0.8, "sp": -0.7}
_CENTRE = {"mup": 0.3, "ntp": 4.0, "sp": -3.2}
_CHECKPOINTS = (16, 64, 256)
_MEASURED = np.unique(np.r_[0, np.round(np.geomspace(1, STEPS, 23)).astype(int)])


def settings(arms: Sequence[str] = tuple(ARMS), **changes: object) -> Settings:
    """Settings that go with `tables`."""
    values: dict[str, object] = {
        "experiment": EXPERIMENT,
        "arms": {arm: ARMS[arm] for arm in arms},
        "scale": "laptop",
        "dpi": 60,
        "description": "residual MLP on MNIST, SGD",
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


def run_config(options: dict[str, float], loss: str = "cross_entropy") -> str:
    """A run's configuration as far as figures read it."""
    return json.dumps({"loss": loss, "optimizer": {"name": "sgd", "options": options}})


def tables(
    sizes: Sequence[int] = _SIZES,
    seeds: Sequence[int] = (0, 1, 2),
    arms: Sequence[str] = tuple(ARMS),
    *,
    diverge_above: float = 1.6,
    spectra: bool = True,
    axis: str = "width",
) -> Tables:
    """The tables of a study that never ran.

    Args:
        sizes: Widths of every arm, or depths.
        seeds: Seeds of every arm.
        arms: Names out of `ARMS`.
        diverge_above: Runs this far (in log2) above their optimum diverge.
        spectra: Whether there are any.
        axis: What a size is, "width" or "depth".
    """
    rng = np.random.default_rng(0)
    config = run_config(_SGD)
    runs, curves, found = [], [], []
    for arm in arms:
        reference = np.log2(ARMS[arm].reference_learning_rate or np.nan)
        for size in sizes:
            for seed in seeds:
                octaves = np.log2(size / 32)
                optimum = _CENTRE[arm] + _DRIFT[arm] * octaves + 0.08 * rng.standard_normal()
                for exponent in _GRIDS[arm]:
                    key = f"{arm}-{size}-{seed}-{exponent}"
                    away = exponent - optimum
                    floor = 0.12 + 0.25 * 2.0 ** (-0.4 * octaves)
                    diverged = away > diverge_above + 0.3 * rng.standard_normal()
                    loss = min(floor * np.exp(0.16 * away**2), 2.2) * (
                        1 + 0.03 * rng.standard_normal()
                    )
                    measured = exponent == reference
                    runs.append(
                        {
                            "experiment": EXPERIMENT,
                            "arm": arm,
                            "key": key,
                            "width": size if axis == "width" else 64,
                            "depth": size if axis == "depth" else 3,
                            "lr": 2.0**exponent,
                            "log2_lr": float(exponent),
                            "seed": seed,
                            "steps": STEPS,
                            "measured": measured,
                            "measuring_share": 0.5 * measured,
                            "status": "diverged" if diverged else "ok",
                            "diverged_step": 20 if diverged else pd.NA,
                            "initial_loss": 2.4,
                            "final_loss": np.nan if diverged else loss,
                            "config": config,
                        }
                    )
                    if measured:
                        curve = _curve(rng, key, arm, octaves, loss)
                        curves.append(curve[curve["step"] <= 20] if diverged else curve)
                        if spectra and not diverged:
                            found.append(_eigenvalues(rng, key, arm, octaves))
                            found.append(_density(rng, key, arm, size, octaves))
    bare = Tables(runs=pd.DataFrame(runs))
    return replace(
        bare,
        curves=pd.concat(curves, ignore_index=True),
        spectra=pd.concat(found, ignore_index=True) if found else bare.spectra,
        estimates=table(EXPERIMENT, _estimates(bare.runs, arms, sizes, seeds)).to_pandas(),
    )


def estimated(runs: pd.DataFrame, curves: pd.DataFrame) -> Tables:
    """The tables of runs and curves, with everything that can be estimated from them."""
    whole = Experiment(runs, curves)
    return Tables(
        runs=runs,
        curves=curves,
        estimates=table("", whole.estimates()).to_pandas(),
        courses=courses_table("", whole.courses()).to_pandas(),
    )


def estimate(value: float, half: float = math.nan, **changes: Any) -> Estimate:
    """An estimate whose 95 % interval has this half width; NaN: an unknown one."""
    deviation = half / NormalDist().inv_cdf(0.975)
    parts = () if math.isnan(half) else (Part(deviation**2, math.inf),)
    return Estimate(value, parts, **changes)


def _shape(arm: str, octaves: float) -> tuple[float, float]:
    """Sharpness at the start and at the end, over 2/η₀."""
    return {
        "mup": (0.15, 1.15),
        "ntp": (0.35, 1.1 * 2.0 ** (-0.5 * octaves)),
        "sp": (0.3 * 2.0 ** (0.9 * octaves), 1.2),
    }[arm]


def _curve(
    rng: np.random.Generator, key: str, arm: str, octaves: float, final: float
) -> pd.DataFrame:
    step = _MEASURED.astype(float)
    rise = 1.0 - np.exp(-step / 30.0)
    start, end = _shape(arm, octaves)
    noise = 1.0 + 0.05 * rng.standard_normal(len(step))
    loss = final + (2.4 - final) * np.exp(-step / (25.0 + 60.0 / (1.0 + octaves)))
    edge = EDGES[arm]
    return pd.DataFrame(
        {
            "key": key,
            "step": _MEASURED,
            "loss": loss * noise,
            "subset_loss": loss * (1.0 + 0.01 * rng.standard_normal(len(step))),
            "sharpness": edge * (start + (end - start) * rise) * noise,
            "batch_sharpness": 1.3 * edge * (start + (end - start) * rise) * noise,
            "sharpness_smallest": -0.1 * edge * noise,
            "ntk": edge * (1.0 + (2.0 + octaves) * rise**2) * noise,
            "gauss_newton": edge * (start + (end - start) * rise) * noise,
            "hessian_residual": 0.1 * edge * (1.0 - rise),
        }
    )


def _eigenvalues(rng: np.random.Generator, key: str, arm: str, octaves: float) -> pd.DataFrame:
    rows = []
    end = _shape(arm, octaves)[1] * EDGES[arm]
    for step in _CHECKPOINTS:
        for rank in range(1, 11):
            fall = 2.0 ** (-0.45 * (rank - 1) * (1.0 + 0.25 / (1.0 + octaves)))
            noise = 1.0 + 0.05 * rng.standard_normal()
            hessian = end * fall * noise * (step / 256) ** 0.2
            hessian = -0.02 * end if (rank, step) == (10, 16) and arm == "sp" else hessian
            ntk = end * fall * noise * (1.0 + octaves) * (step / 256) ** 0.4
            for operator, value in (("hessian", hessian), ("ntk", ntk)):
                rows.append((key, step, operator, rank, value, 0.003, True))
    columns = ["key", "step", "kind", "rank", "value", "residual", "converged"]
    return pd.DataFrame(rows, columns=columns)


def _density(
    rng: np.random.Generator, key: str, arm: str, size: int, octaves: float
) -> pd.DataFrame:
    parts = []
    end = _shape(arm, octaves)[1] * EDGES[arm]
    dim = 784 * size + 3 * size**2
    for step in _CHECKPOINTS:
        for probe in range(4):
            bulk = 0.04 * end * rng.standard_normal(22)
            top = end * 2.0 ** (-0.45 * np.arange(10)) * (1 + 0.02 * rng.standard_normal(10))
            weight = np.r_[np.exp(-((bulk / (0.03 * end)) ** 2)) + 1e-6, np.full(10, 22 / dim)]
            parts.append(
                pd.DataFrame(
                    {
                        "key": key,
                        "step": step,
                        "kind": "density",
                        "probe": probe,
                        "value": np.r_[bulk, top],
                        "weight": weight / weight.sum(),
                        "dim": dim,
                    }
                )
            )
    return pd.concat(parts, ignore_index=True)


def _estimates(
    runs: pd.DataFrame, arms: Sequence[str], sizes: Sequence[int], seeds: Sequence[int]
) -> Iterator[Row]:
    known = len(seeds) > 1
    axis = runs["axis"].iloc[0]
    net = {"axis": axis, "fixed": int(runs["fixed"].iloc[0])}

    def of_seeds(value: float, half: float, **changes: Any) -> Estimate:
        units = tuple(Unit(seed, 0, value) for seed in seeds)
        return estimate(value, half if known else math.nan, units=units, **changes)

    for arm in arms:
        drift = _DRIFT[arm] if len(sizes) > 1 else math.nan
        beyond = arm == "sp" and 512 in sizes
        of = Of(statistic="drift", unit="octaves per octave", arm=arm, n_sizes=len(sizes), **net)
        yield of, of_seeds(drift, 0.12, open_low=beyond)
        for size in sizes:
            place = {"arm": arm, "size": size, **net}
            x = _CENTRE[arm] + _DRIFT[arm] * np.log2(size / 32)
            cell = runs[(runs["arm"] == arm) & (runs["size"] == size)]
            if (cell["status"] == "ok").any():
                at_edge = beyond and size == 512
                of = Of(statistic="optimum", unit="", at="low" if at_edge else "", **place)
                yield of, of_seeds(x, 0.25, open_low=at_edge)
            at = "reference" if size == sizes[0] else ""
            of = Of(statistic="regret", unit="loss", at=at, **place)
            yield of, of_seeds(0.05 * abs(_DRIFT[arm]), 0.03)
        betas = {"sharpness": 0.0, "subset_loss": 0.6, "ntk": 1.8, "gauss_newton": 0.0}
        for quantity, beta in betas.items():
            for size in sizes[:-1]:
                place = {"arm": arm, "size": size, "quantity": quantity, **net}
                scale = Of(statistic="distance_scale", unit="", **place)
                yield Of(statistic="distance_exponent", unit="1", **place), of_seeds(beta, 0.13)
                yield scale, Estimate(math.log(0.05) - 0.5 * math.log(size / 32))


def under_adam(made: Tables) -> Tables:
    """The same study under Adam: the curvature is the preconditioned one, 19 times as large."""
    curves = made.curves.rename(columns={"sharpness": "preconditioned_sharpness"})
    curves["preconditioned_sharpness"] *= 19.0
    return replace(made, runs=made.runs.assign(config=run_config({"beta1": 0.9})), curves=curves)
