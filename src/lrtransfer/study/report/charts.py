"""Charts that answer to pointing, tapping and arrow keys: Vega-Lite, drawn by the page itself.

A chart is data: a Vega-Lite specification per choice (an arm, an experiment) that the reader has.
`charts.js` embeds it and says below it all that a mark stands for.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import vl_convert

Spec = dict[str, Any]

_VEGA_LITE = "6.4"
_CONFIG = {
    "background": None,
    "view": {"stroke": None},
    "font": "system-ui, sans-serif",
    "axis": {"labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
    "legend": {"labelFontSize": 12, "titleFontSize": 12, "orient": "top", "symbolOpacity": 1},
}
_DIGIT = "'⁰¹²³⁴⁵⁶⁷⁸⁹'[{}]".format
#: An axis of log2, whose labels are 2⁻³, 2⁻², …
POWER_OF_TWO = {
    "labelExpr": "'2' + (datum.value < 0 ? '⁻' : '') + (abs(datum.value) < 10 ? '' : "
    f"{_DIGIT('floor(abs(datum.value) / 10)')}) + {_DIGIT('abs(datum.value) % 10')}",
    "tickMinStep": 1,
}
#: What is selected is drawn larger.
CURRENT = {"name": "current", "value": -1}
IS_CURRENT = "datum.n === current"


@cache
def library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script; it gives the page `vegaEmbed`."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", _VEGA_LITE)
    return bundle


def script() -> str:
    """The page's own code."""
    return Path(__file__).with_name("charts.js").read_text(encoding="utf-8")


def policy() -> str:
    """The page's content security policy: its own scripts and pictures, nothing from outside."""
    digests = (
        base64.b64encode(hashlib.sha256(code.encode()).digest()).decode("ascii")
        for code in (library(), script())
    )
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests)
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )


def spec(
    rows: Sequence[Mapping[str, Any]],
    shown: Mapping[str, str],
    layers: Sequence[Spec],
    *,
    height: float = 260,
    about: Mapping[str, Any] | None = None,
    **more: Any,
) -> Spec:
    """Return a specification as wide as the page lets it be.

    Args:
        rows: the data, a mapping per mark; `n`, its place, is added.
        shown: what is said of a row: title by field, in order.
        layers: of the chart.
        height: in pixels.
        about: what `charts.js` is told besides.
        **more: further properties of the specification.
    """
    tooltip = [{"field": name, "title": title} for name, title in shown.items()]
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "config": _CONFIG,
        "params": [CURRENT],
        "usermeta": {"shown": list(shown.items()), **(about or {})},
        "data": {"values": [{"n": n, **row} for n, row in enumerate(rows)]},
        "encoding": {"tooltip": tooltip},
        "layer": list(layers),
        **more,
    }


def packed(choices: Mapping[str, Spec]) -> str:
    """Return charts by choice as gzipped JSON in base64, which no text can break out of."""
    text = json.dumps(choices, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")
