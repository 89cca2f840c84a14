"""Sharpness, loss and learning-rate transfer over width (see `transfer`)."""

from lrtransfer.study.figures.transfer import transfer

DRAWN_FROM = "measured"
FIGURE = transfer
