"""Find a figure by its name, draw it, save it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import matplotlib as mpl

from lrtransfer.study.figures import output, style
from lrtransfer.study.figures.tables import Drawing, Drawn, Settings, Tables

Draw = Callable[[Tables, Settings], Drawing]


def names() -> list[str]:
    """Names of all figures, sorted: the files of this folder that assign `FIGURE`."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if _is_figure(path))


def draw(
    name: str,
    tables: Tables,
    settings: Settings,
    folder: Path,
    *,
    fingerprint: str | None = None,
) -> Drawn:
    """Draw one figure of one experiment and save it.

    Args:
        name: The figure, one of `names()`.
        tables: The stored tables; runs of other experiments are left out. Of several depths of
            nets of several widths the smallest is drawn, and the caption says so.
        settings: What the tables do not say.
        folder: Where `<name>.png`, `<name>.pdf` and `<name>.csv` go.
        fingerprint: Goes into the metadata; by default a digest of what is plotted and said.

    Raises:
        ValueError: No figure has that name, or the tables hold no run of the experiment.
    """
    if name not in names():
        raise ValueError(f"figure {name!r} is unknown: choose from {', '.join(names())}")
    figure: Draw = import_module(f"lrtransfer.study.figures.{name}").FIGURE
    tables = tables.of(settings.experiment)
    depths = tables.fixed()
    note = ""
    if len(depths) > 1:
        tables = tables.at_fixed(depths[0])
        note = f" Depth {depths[0]} of {style.listing(depths)}."
    with mpl.rc_context(style.rc()):
        drawing = figure(tables, settings)
        caption = drawing.caption + note
        digest = fingerprint or output.fingerprint(name, drawing.plotted, caption)
        paths = output.save(
            drawing.figure,
            drawing.plotted,
            folder,
            name,
            fingerprint=digest,
            dpi=settings.dpi,
            caption=caption,
            alt=drawing.alt,
        )
    return Drawn(name, caption, drawing.alt, digest, *paths)


def _is_figure(path: Path) -> bool:
    """Whether a file assigns `FIGURE` at top level; read, not imported."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        if any(isinstance(target, ast.Name) and target.id == "FIGURE" for target in targets):
            return True
    return False
