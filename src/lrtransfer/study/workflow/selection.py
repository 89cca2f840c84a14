"""From the options of a command to the plan and the place of its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lrtransfer.study.plan import Plan, load_study, plan
from lrtransfer.study.storage.paths import Layout


@dataclass(frozen=True)
class Selection:
    """A plan, where its files lie, and what was asked for instead of params.yaml's own choice."""

    plan: Plan
    layout: Layout
    overrides: dict[str, str]


def select(params: Path, scale: str | None = None, experiments: str | None = None) -> Selection:
    """Return what to do for a params.yaml and the options ``--scale`` and ``--experiments``.

    Raises:
        StudyError: The file or an option is faulty.
    """
    own = load_study(params)
    changed = scale or experiments
    study = load_study(params, scale=scale, experiments=experiments) if changed else own
    wanted = {"scale": scale, "experiments": experiments}
    return Selection(
        plan=plan(study),
        layout=Layout.of(scale=study.scale, default_scale=own.scale),
        overrides={name: value for name, value in wanted.items() if value},
    )
