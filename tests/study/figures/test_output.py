"""A figure's files: same bytes, fingerprint and caption inside, nothing half-written."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from lrtransfer.study.figures import output
from lrtransfer.study.figures.drawing import draw
from lrtransfer.study.figures.output import describe
from lrtransfer.study.figures.tables import Drawn

from . import synthetic


def _save(folder: Path, **changes: object) -> output.Paths:
    figure = Figure()
    figure.subplots().plot([0, 1])
    table = pd.DataFrame({"x": [0.1 + 0.2], "n": [3]})
    values = {"fingerprint": "f" * 64, "dpi": 50, "caption": "λ over\nμ", "alt": "a line"}
    return output.save(figure, table, folder, "plot", **{**values, **changes})  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["width_transfer", "spectral_density"])
def test_two_draws_give_the_same_bytes(name: str, drawn: dict[str, Drawn], tmp_path: Path) -> None:
    again = draw(name, synthetic.tables(), synthetic.settings(), tmp_path)
    for suffix in ("png", "pdf", "csv"):
        first, second = getattr(drawn[name], suffix), getattr(again, suffix)
        assert first.read_bytes() == second.read_bytes(), suffix


@pytest.mark.slow
def test_the_style_does_not_leak(drawn: dict[str, Drawn], tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    draw("spectral_density", synthetic.tables(), synthetic.settings(), tmp_path)
    assert dict(mpl.rcParams) == before


@pytest.mark.slow
def test_the_png_carries_fingerprint_caption_and_alt(drawn: dict[str, Drawn]) -> None:
    for figure in drawn.values():
        assert describe(figure.png) == (figure.fingerprint, figure.caption, figure.alt)
        with Image.open(figure.png) as image:
            assert image.info["lrtransfer-fingerprint"] == figure.fingerprint


@pytest.mark.slow
def test_the_fingerprint_follows_data_caption_and_name(drawn: dict[str, Drawn]) -> None:
    table = pd.DataFrame({"x": [1.0]})
    one = output.fingerprint("a", table, "c")
    others = {
        output.fingerprint("b", table, "c"),
        output.fingerprint("a", table + 1, "c"),
        output.fingerprint("a", table, "d"),
    }
    assert one not in others
    assert len(others) == 3
    assert len({figure.fingerprint for figure in drawn.values()}) == len(drawn)


def test_a_given_fingerprint_is_used(tmp_path: Path) -> None:
    tables, settings = synthetic.tables(sizes=[32]), synthetic.settings()
    figure = draw("spectral_density", tables, settings, tmp_path, fingerprint="abc")
    assert describe(figure.png).fingerprint == figure.fingerprint == "abc"


def test_numbers_keep_nine_digits(tmp_path: Path) -> None:
    assert _save(tmp_path).csv.read_text() == "x,n\n0.3,3\n"
    assert "0.333333333" in output.csv_text(pd.DataFrame({"x": [1 / 3]}))


def test_dpi_sets_the_size_in_pixels(tmp_path: Path) -> None:
    with Image.open(_save(tmp_path, dpi=50).png) as image:
        assert image.size == (320, 240)


def test_a_failed_save_keeps_the_old_file_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _save(tmp_path).png.read_bytes()

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        _save(tmp_path, caption="new")
    assert (tmp_path / "plot.png").read_bytes() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plot.csv", "plot.pdf", "plot.png"]


def test_a_foreign_png_is_refused_with_the_remedy(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "foreign.png")
    with pytest.raises(ValueError, match="lrtransfer figures"):
        describe(tmp_path / "foreign.png")
