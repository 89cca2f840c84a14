"""The final losses, one point a run."""

from __future__ import annotations

from matplotlib.figure import Figure

from lrtransfer.study.figures.tables import Drawing, Settings, Tables


def added(tables: Tables, settings: Settings) -> Drawing:
    """Draw the final losses in the order of the runs."""
    figure = Figure()
    plotted = tables.runs[["arm", "final_loss"]]
    figure.add_subplot().plot(plotted["final_loss"].to_numpy(float), "o")
    count = len(plotted)
    caption = f"{count} run{'' if count == 1 else 's'} of {', '.join(settings.arms)}."
    return Drawing(figure, plotted, caption, f"Points for the final losses of {count} runs.")


DRAWN_FROM = "arms"
FIGURE = added
