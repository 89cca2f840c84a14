"""Find a figure by its name, draw it, save it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl

from lrtransfer.study.figures import output, style
from lrtransfer.study.figures.tables import Drawing, Drawn, Settings, Tables
from lrtransfer.study.plan import catalog

Draw = Callable[[Tables, Settings], Drawing]


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
        name: The figure, a file of this folder.
        tables: The stored tables; runs of other experiments are left out. Of several depths of
            nets of several widths the smallest is drawn, and the caption says so.
        settings: What the tables do not say.
        folder: Where `<name>.png`, `<name>.pdf` and `<name>.csv` go.
        fingerprint: Goes into the metadata; by default a digest of what is plotted and said.

    Raises:
        LookupError: No figure has that name.
        ValueError: The tables hold no run of the experiment, or it returns no `Drawing`.
    """
    figure: Draw = catalog.load("figures", name)
    tables = tables.of(settings.experiment)
    depths = tables.fixed()
    note = ""
    if len(depths) > 1:
        tables = tables.at_fixed(depths[0])
        note = f" Depth {depths[0]} of {style.listing(depths)}."
    with mpl.rc_context(style.rc()):
        drawing = figure(tables, settings)
        if not isinstance(drawing, Drawing):
            raise ValueError(
                f"the figure {name!r} returns {type(drawing).__name__}. Return a Drawing: figure, "
                "what is plotted, caption and alt text."
            )
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
