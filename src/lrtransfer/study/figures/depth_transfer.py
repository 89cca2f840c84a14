"""Sharpness, loss and learning-rate transfer over depth (see `transfer`)."""

from lrtransfer.study.figures.transfer import transfer

DRAWN_FROM = "measured"
FIGURE = transfer
