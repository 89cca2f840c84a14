"""The examples run as a reader would run them, and show what they say."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import lrtransfer

ROOT = Path(__file__).parents[1]


def output(example: str, folder: Path = ROOT, launcher: Sequence[str] = ()) -> str:
    """Return what an example prints that is run in a folder, by a launcher of Python's."""
    paths = [str(Path(lrtransfer.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    found = subprocess.run(
        [sys.executable, *launcher, ROOT / "examples" / example],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.mark.process
def test_own_model_shows_a_rate_that_transfers_under_mup_alone() -> None:
    best: dict[tuple[str, int], int] = {}
    for name, width, rest in re.findall(r"(\w+), N = (\d+) (.*)", output("own_model.py")):
        losses = [float(loss) for loss in rest.split()]
        best[name, int(width)] = losses.index(min(losses))
    assert best["mup_table8", 32] == best["mup_table8", 128]
    assert best["sp", 128] < best["sp", 32]


@pytest.mark.process
@pytest.mark.slow
def test_judge_tells_a_drift_and_predicts() -> None:
    shown = output("judge.py")
    assert "The best rate falls with width" in shown
    assert re.search(r"all 1024\.0 0\.0\d+", shown)


@pytest.mark.process
def test_coordinate_check_names_the_weights_that_the_standard_parameterization_moves_too_far(
    tmp_path: Path,
) -> None:
    mup, sp = output("coordinate_check.py", tmp_path).split("sp:")
    assert "\nstable\n" in mup and "fix these" not in mup
    assert "fix these: block.1.weight, readout.weight" in sp
    assert (tmp_path / "coordinates_sp.png").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    "example", ["transformers_trainer.py", "accelerate_loop.py", "lightning_module.py"]
)
def test_in_the_trainers_of_others_the_loss_falls(example: str, tmp_path: Path) -> None:
    losses = re.findall(r"^.*loss (\d\.\d+)$", output(example, tmp_path), flags=re.MULTILINE)
    assert float(losses[-1]) < 0.9 * float(losses[0])


@pytest.mark.process
def test_layout_places_gpt2_without_a_hint_and_a_stack_that_is_told() -> None:
    shown = dict(line.rsplit(" ", 1) for line in output("layout.py").strip().splitlines())
    assert shown == {"transformer.h.0.attn.c_attn.weight": "0.25", "maps": "0.25"}


@pytest.mark.process
def test_a_folded_model_is_loaded_by_plain_transformers() -> None:
    loss, moved = re.findall(r"loss (\S+), logits moved by (\S+)", output("fold.py"))[0]
    assert float(loss) < 3.5  # of ln 60
    assert float(moved) < 1e-5


@pytest.mark.process
def test_export_rates_writes_rules_for_torchtitan_and_multipliers() -> None:
    shown = output("export_rates.py")
    assert r'pattern=r"^(?:blocks\.\d+\.weight)$"' in shown
    assert '"lr": 0.0625' in shown


@pytest.mark.process
def test_fsdp2_trains_with_the_plan_that_was_made_before(tmp_path: Path) -> None:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    losses = re.findall(r"loss (\d\.\d+)", output("fsdp2.py", tmp_path, torchrun))
    assert float(losses[-1]) < 0.5 * float(losses[0])
