"""Laws of transfer: how the optimal learning rate depends on size, and what they say of another.

Three laws of u(N), the log2 of the optimum: constant, u = a; power law, u = a + b·log2 N; power
law with offset, η* = η_∞ (1 + c N^−p), from `OFFSET_SIZES` sizes on. They are fitted by least
squares to the size means of the seeds' vertices, and compared by AICc (Hurvich & Tsai 1989) over
all seeds' vertices. No law is chosen where the data do not: a prediction is the mixture of the
laws with their Akaike weights (Burnham & Anderson 2002, chapter 4), so that its interval holds the
doubt between them.

The variance of a size's mean about a law is what the seeds' scatter and the grid make expect,
pooled with the scatter of the means about the law; where the latter is larger by an F test at the
level `POOLING_LEVEL`, the law is off by more than noise and the scatter about it stands alone, with
its few degrees of freedom. (A preliminary test must be liberal if later intervals are to keep their
coverage: Paull 1950, Bancroft 1964.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from lrtransfer.transfer import valley
from lrtransfer.transfer.drift import dithering
from lrtransfer.transfer.intervals import Interval

Array = npt.NDArray[np.float64]
Name = Literal["constant", "power law", "power law with offset"]

#: The law with an offset has three parameters: fewer sizes cannot tell it from the power law.
OFFSET_SIZES = 6

#: Level of the test whether a law misses the size means by more than noise.
POOLING_LEVEL = 0.25


@dataclass(frozen=True)
class Optima:
    """What is known of one arm's optima.

    Attributes:
        log2_size: (n,) increasing.
        mean: (n,) mean vertex over seeds, log2 of the learning rate.
        seeds: seeds per size, the smallest number of any size.
        seed_variance: variance of one seed's vertex, pooled over sizes.
        seed_freedom: its degrees of freedom.
        spacing: of the learning-rate grid, in octaves.
    """

    log2_size: Array
    mean: Array
    seeds: int
    seed_variance: float
    seed_freedom: float
    spacing: float

    @property
    def expected_variance(self) -> float:
        """Variance of a size's mean about a law that holds: seeds, and the grid's phase error."""
        left = float(dithering(np.array(self.seed_variance), self.spacing))
        phase = valley.PHASE_RESOLUTION * self.spacing * left
        return self.seed_variance / self.seeds + phase**2


class Fit(NamedTuple):
    """One law fitted to an arm's optima.

    Attributes:
        name: of the law.
        parameters: a, or a and b, or a, c and p.
        rms: root mean square of the size means about the law, in octaves.
        aicc: Akaike's criterion, corrected for small samples; lower is better.
        weight: Akaike weight among the laws fitted, summing to 1.
        variance: of a size's mean about the law.
        freedom: its degrees of freedom.
        at: log2 size -> the law's value and its leverage (variance of the value over `variance`).
    """

    name: Name
    parameters: tuple[float, ...]
    rms: float
    aicc: float
    weight: float
    variance: float
    freedom: float
    at: Callable[[float], tuple[float, float]]


class Component(NamedTuple):
    """A t distribution of the mixture: weight, centre, scale, degrees of freedom."""

    weight: float
    centre: float
    scale: float
    freedom: float


def fit_laws(optima: Optima) -> list[Fit]:
    """Return the fitted laws, best first.

    Raises:
        ValueError: fewer than three sizes, or one seed: nothing would be left to judge a law by.

    Example:
        >>> from lrtransfer.transfer.laws import Optima, fit_laws
        >>> import numpy as np
        >>> log2_size, log2_rate = np.array([6.0, 7.0, 8.0]), np.array([-4.0, -4.5, -5.0])
        >>> optima = Optima(log2_size, log2_rate, 3, 0.01, 6, spacing=1.0)
        >>> fit_laws(optima)[0].name
        'power law'
    """
    n = len(optima.mean)
    if n < 3:
        raise ValueError(f"log2_size holds {n} sizes: a law needs at least 3")
    if optima.seed_freedom < 1:
        raise ValueError("seeds: at least two are needed to know the scatter of an optimum")
    fits = [_polynomial(optima, "constant", 0), _polynomial(optima, "power law", 1)]
    if n >= OFFSET_SIZES:
        fits.append(_with_offset(optima))
    best = min(fit.aicc for fit in fits)
    likelihoods = np.exp([(best - fit.aicc) / 2 for fit in fits])
    weights = likelihoods / likelihoods.sum()
    found = [fit._replace(weight=float(w)) for fit, w in zip(fits, weights, strict=True)]
    return sorted(found, key=lambda fit: fit.aicc)


def predict_sweep(fits: list[Fit], log2_size: float) -> list[Component]:
    """Return where a sweep of that size would find its optimum, one component per law.

    Each is a prediction: the law's own uncertainty, and the scatter of one more size about it.
    """
    components = []
    for fit in fits:
        centre, leverage = fit.at(log2_size)
        scale = float(np.sqrt(fit.variance * (1 + leverage)))
        components.append(Component(fit.weight, centre, scale, fit.freedom))
    return components


def mixture_interval(components: list[Component], confidence: float) -> Interval:
    """Return the mixture's mean and its central interval."""
    mean = sum(c.weight * c.centre for c in components)
    low, high = quantiles(components, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(mean), float(low), float(high))


def quantiles(components: list[Component], probabilities: npt.ArrayLike) -> Array:
    """Return quantiles (P,) of the mixture, by inverting its distribution on a fine grid."""
    wanted = np.asarray(probabilities, dtype=np.float64)
    ends = [wanted.min(), wanted.max()]
    each = np.array([c.centre + c.scale * stats.t.ppf(ends, c.freedom) for c in components])
    where = np.linspace(each.min(), each.max(), 4001)
    below = sum(c.weight * stats.t.cdf((where - c.centre) / c.scale, c.freedom) for c in components)
    return np.asarray(np.interp(wanted, below, where))


def with_one_more(fit: Fit, optima: Optima, size: float, target: float) -> Component:
    """Return a law's component at `target` as it would be had `size` (log2) been swept too.

    The scatter about the law is taken to stay as it is; a degree of freedom is gained.
    """
    here = fit.at(target)[0]
    more = Optima(
        np.append(optima.log2_size, size),
        np.append(optima.mean, fit.at(size)[0]),
        optima.seeds,
        optima.seed_variance,
        optima.seed_freedom,
        optima.spacing,
    )
    leverage = _leverage(fit, more.log2_size)(target)
    scale = float(np.sqrt(fit.variance * (1 + leverage)))
    return Component(fit.weight, here, scale, fit.freedom + 1)


def _polynomial(optima: Optima, name: Name, degree: int) -> Fit:
    x = optima.log2_size
    coefficients = np.polynomial.polynomial.polyfit(x, optima.mean, degree)
    residual = optima.mean - np.polynomial.polynomial.polyval(x, coefficients)

    def value(where: float) -> float:
        return float(np.polynomial.polynomial.polyval(where, coefficients))

    parameters = tuple(float(c) for c in coefficients)
    return _judged(optima, name, parameters, residual, value)


def _with_offset(optima: Optima) -> Fit:
    """Fit u = a + log2(1 + c·(N/N_1)^−p), c > −1, 0.1 <= p <= 4, N_1 the smallest size."""
    x = optima.log2_size

    def values(parameters: Array, where: Array) -> Array:
        a, c, p = parameters
        return np.asarray(a + np.log2(1 + c * 2.0 ** (-p * (where - x[0]))))

    starts = [(optima.mean[-1], c, p) for c in (-0.5, 0.5, 4.0) for p in (0.3, 1.0, 2.0)]
    bounds = ([-np.inf, -0.99, 0.1], [np.inf, 1e3, 4.0])
    found = [
        optimize.least_squares(lambda t: values(t, x) - optima.mean, start, bounds=bounds)
        for start in starts
    ]
    best = min(found, key=lambda f: float(f.cost)).x
    residual = optima.mean - values(best, x)
    parameters = tuple(float(v) for v in best)
    return _judged(
        optima,
        "power law with offset",
        parameters,
        residual,
        lambda where: float(values(best, np.array(where))),
    )


def _judged(
    optima: Optima,
    name: Name,
    parameters: tuple[float, ...],
    residual: Array,
    value: Callable[[float], float],
) -> Fit:
    n, k = len(residual), len(parameters)
    about_law = float(np.sum(residual**2))
    points = optima.seeds * n
    within = optima.seed_variance * optima.seed_freedom
    # The grid's error keeps a scatter of nearly zero from making one law certain.
    floor = points * (optima.expected_variance * optima.seeds - optima.seed_variance)
    squares = optima.seeds * about_law + within + floor
    aicc = points * np.log(squares / points) + 2 * (k + 1)
    aicc += 2 * (k + 1) * (k + 2) / (points - k - 2)
    variance, freedom = _variance(about_law, n - k, optima)
    blank = Fit(
        name,
        parameters,
        rms=float(np.sqrt(about_law / n)),
        aicc=float(aicc),
        weight=1.0,
        variance=variance,
        freedom=freedom,
        at=lambda where: (value(where), 0.0),
    )
    leverage = _leverage(blank, optima.log2_size)
    return blank._replace(at=lambda where: (value(where), leverage(where)))


def _variance(about_law: float, freedom: int, optima: Optima) -> tuple[float, float]:
    """Return the variance of a size's mean about a law, and its degrees of freedom."""
    expected, expected_freedom = optima.expected_variance, optima.seed_freedom
    observed = about_law / freedom
    if stats.f.sf(observed / expected, freedom, expected_freedom) < POOLING_LEVEL:
        return observed, float(freedom)
    total = freedom + expected_freedom
    return (freedom * observed + expected_freedom * expected) / total, float(total)


def _leverage(fit: Fit, x: Array) -> Callable[[float], float]:
    """Return x -> g(x)ᵀ (JᵀJ)⁻¹ g(x), g the law's gradient by its parameters (delta method)."""

    def gradient(where: float) -> Array:
        if fit.name == "constant":
            return np.array([1.0])
        if fit.name == "power law":
            return np.array([1.0, where])
        _, c, p = fit.parameters
        decay = 2.0 ** (-p * (where - x[0]))
        inner = (1 + c * decay) * np.log(2)
        return np.array([1.0, decay / inner, -c * decay * np.log(2) * (where - x[0]) / inner])

    design = np.array([gradient(where) for where in x])
    inverse = np.linalg.pinv(design.T @ design)
    return lambda where: float(gradient(where) @ inverse @ gradient(where))
