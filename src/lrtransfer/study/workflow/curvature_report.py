"""What ``lrtransfer sharpness`` prints."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from lrtransfer.study.evidence.edge_of_stability import edge_factor
from lrtransfer.study.spectra.saved_model import Eigenvalue


def as_json(found: Sequence[Eigenvalue], about: dict[str, Any] | None) -> str:
    """Return the rows, and for a run's checkpoint its key, step, configuration and edge."""
    record: dict[str, Any] = {"eigenvalues": [asdict(row) for row in found]}
    if about is not None:
        record |= {name: about[name] for name in ("key", "step", "config")}
        record["edge_of_stability"] = _edge(about["config"])
    return json.dumps(record, indent=2)


def as_text(found: Sequence[Eigenvalue], about: dict[str, Any] | None) -> str:
    """Return a table, and for a run's checkpoint where its edge of stability lies."""
    return "\n".join([*_headings(about), *_rows(found)])


def _headings(about: dict[str, Any] | None) -> Iterator[str]:
    if about is None:
        return
    config = about["config"]
    model = config["model"]
    yield (
        f"run {about['key']}, step {about['step']}: {model['family']} of width {model['width']}, "
        f"depth {model['depth']}, {config['optimizer']['name']}, learning rate "
        f"{config['learning_rate']:g}, seed {config['seed']}"
    )
    yield "of D^1/2 A D^1/2, with D each tensor's learning rate over the global one"
    if (edge := _edge(config)) is not None:
        yield f"edge of stability of the Hessian: {edge:.6g}"


def _rows(found: Sequence[Eigenvalue]) -> Iterator[str]:
    yield f"{'operator':<10}{'rank':>5}{'eigenvalue':>15}{'residual':>12}{'products':>10}"
    for row in found:
        note = "" if row.converged else "  not converged"
        yield (
            f"{row.operator:<10}{row.rank:>5}{row.value:>15.6g}{row.residual:>12.2g}"
            f"{row.products:>10}{note}"
        )


def _edge(config: dict[str, Any]) -> float | None:
    """Return the edge of stability of the Hessian; None where a preconditioner moves it."""
    if config["optimizer"]["name"] != "sgd":
        return None
    return edge_factor(config, "sharpness") / float(config["learning_rate"])
