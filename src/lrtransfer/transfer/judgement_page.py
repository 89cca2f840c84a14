"""A judgement as one HTML page that needs nothing else: text, figure, tables."""

from __future__ import annotations

import base64
import html
import tempfile
from pathlib import Path

import pandas as pd

from lrtransfer.transfer.findings import Findings
from lrtransfer.transfer.judgement_text import text
from lrtransfer.transfer.picture import draw

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "pre{white-space:pre-wrap}img{max-width:100%}"
    "table{border-collapse:collapse;font-size:13px}td,th{padding:.2rem .7rem;text-align:right;"
    "border-bottom:1px solid #ddd}.rows{max-height:28rem;overflow:auto}"
    "@media print{.rows{max-height:none}}"
)


def page(judged: Findings, predictions: pd.DataFrame | None) -> str:
    """Return the page.

    Args:
        judged: to be shown.
        predictions: what it predicts, if anything was asked.
    """
    with tempfile.TemporaryDirectory() as folder:
        picture = Path(folder) / "figure.png"
        draw(judged, picture, predictions)
        encoded = base64.b64encode(picture.read_bytes()).decode("ascii")
    tables = "".join(
        f"<h2>{name}</h2><div class=rows>"
        + frame.to_html(index=False, border=0, escape=True, float_format="{:.4g}".format)
        + "</div>"
        for name, frame in judged.tables(predictions).items()
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        "<title>Learning-rate transfer</title>"
        f"<style>{_STYLE}</style><h1>Learning-rate transfer</h1>"
        f"<pre>{html.escape(text(judged, predictions))}</pre>"
        f'<img alt="losses over learning rates, best rates over sizes" '
        f'src="data:image/png;base64,{encoded}">{tables}</html>\n'
    )
