"""One job: the spectra of some checkpoints, each in a file of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

import pyarrow as pa
import torch

from lrtransfer.curvature import NonFiniteCurvatureError
from lrtransfer.study.data import Arrays
from lrtransfer.study.data.prepare import load_arrays
from lrtransfer.study.plan import expand
from lrtransfer.study.spectra.spectrum import Spectrum, spectrum
from lrtransfer.study.storage.atomic import link
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.storage.seal import CorruptFileError
from lrtransfer.study.storage.tables import read_table, write_table
from lrtransfer.study.training.progress import duration
from lrtransfer.study.training.tensors import load_tensors


def compute_spectra(
    wanted: Sequence[expand.Spectrum], layout: Layout, device: torch.device
) -> None:
    """Publish the spectrum file of every checkpoint in `wanted`, computing what is missing.

    Finished spectra are kept in the work folder, as runs are. A checkpoint that its run never
    reached, because it diverged, or whose curvature is not finite gets a file without rows.

    Raises:
        CorruptFileError: A checkpoint or the prepared data are damaged.
    """
    began = time.monotonic()
    # Read and hashed once, not for every checkpoint.
    arrays = cache(load_arrays)
    missing = [item for item in wanted if not _finished(item, layout)]
    for done, item in enumerate(missing, start=1):
        write_table(layout.work_spectrum(item.key), *_compute(item, layout, arrays, device))
        left = (time.monotonic() - began) / done * (len(missing) - done)
        print(
            f"spectrum {done} of {len(missing)}: {item.run.arm} width {item.run.width} seed "
            f"{item.run.seed} step {item.step}; about {duration(left)} left in this job",
            file=sys.stderr,
            flush=True,
        )
    for item in wanted:
        link(layout.work_spectrum(item.key), layout.spectrum(item.key))


def _finished(item: expand.Spectrum, layout: Layout) -> bool:
    try:
        read_table(layout.work_spectrum(item.key), {"key": item.key})
    except FileNotFoundError:
        return False
    except CorruptFileError as error:
        print(f"warning: {error} Computing it again.", file=sys.stderr, flush=True)
        return False
    return True


def _compute(
    item: expand.Spectrum,
    layout: Layout,
    arrays: Callable[[str], Arrays],
    device: torch.device,
) -> tuple[pa.Table, dict[str, Any]]:
    path = layout.checkpoint(item.run.key, item.step)
    weights, kept = load_tensors(path)
    if kept.get("key") != item.run.key or kept.get("step") != item.step:
        raise CorruptFileError(path, "holds another run's weights")
    found = None
    if kept["status"] == "ok":
        data = arrays(item.run.config.data)
        with suppress(NonFiniteCurvatureError):  # the last weights before the loss overflowed
            found = spectrum(item.run.config, item.config, weights, data, device)
    config = item.config.to_json()
    about = {"key": item.key, "run": item.run.key, "step": item.step, "config": config}
    return _table(found), about


def _table(found: Spectrum | None) -> pa.Table:
    """Return long rows: `kind` is hessian or ntk (by rank), or density (node and weight)."""
    rows: list[dict[str, object]] = []
    if found is not None:
        for kind, pairs in (("hessian", found.hessian), ("ntk", found.ntk)):
            rows += [
                {
                    "kind": kind,
                    "rank": rank,
                    "value": value,
                    "residual": residual,
                    "converged": pairs.converged,
                }
                for rank, (value, residual) in enumerate(
                    zip(pairs.values.tolist(), pairs.residuals.tolist(), strict=True), start=1
                )
            ]
        density = found.density
        rows += [
            {"kind": "density", "probe": probe, "value": node, "weight": weight, "dim": density.dim}
            for probe, (nodes, weights) in enumerate(
                zip(density.nodes.tolist(), density.weights.tolist(), strict=True)
            )
            for node, weight in zip(nodes, weights, strict=True)
        ]
    return pa.Table.from_pylist(rows, schema=_SCHEMA)


_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("rank", pa.int64()),
        ("probe", pa.int64()),
        ("value", pa.float64()),
        ("residual", pa.float64()),
        ("weight", pa.float64()),
        ("converged", pa.bool_()),
        ("dim", pa.int64()),
    ]
)
