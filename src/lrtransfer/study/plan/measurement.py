"""At which steps a run is measured: fixed beforehand, the same in every arm, never by the clock."""

from __future__ import annotations

from typing import Literal


def measurement_steps(
    steps: int, points: int, spacing: Literal["geometric", "linear"]
) -> list[int]:
    """Return increasing steps from 0 to `steps`, both included.

    Args:
        steps: Length of the run.
        points: Number of measurements after step 0; fewer come back where rounded steps coincide.
        spacing: `geometric`: from step 1 on at equal ratios; `linear`: at equal distances.
    """
    if points == 1:
        return [0, steps]
    if spacing == "linear":
        later = [round(steps * i / points) for i in range(1, points + 1)]
    else:
        later = [round(steps ** (i / (points - 1))) for i in range(points)]
    return sorted({0, *later, steps})
