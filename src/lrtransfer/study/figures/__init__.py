"""Figures from stored tables; imports no torch and redraws in seconds.

A figure is one file of this folder that holds `FIGURE`, a function of (tables, settings); its
name is the file's. `draw` finds it by that name, so a new figure needs no edit elsewhere.
"""

from lrtransfer.study.figures.drawing import draw, names
from lrtransfer.study.figures.output import Description, describe
from lrtransfer.study.figures.tables import Arm, Drawing, Drawn, Settings, Tables

__all__ = [
    "Arm",
    "Description",
    "Drawing",
    "Drawn",
    "Settings",
    "Tables",
    "describe",
    "draw",
    "names",
]
