"""Curvature of saved models: a run's checkpoint and a user's weights, against dense oracles."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from lrtransfer.cli import main
from lrtransfer.curvature import dense
from lrtransfer.curvature.gauss_newton import GaussNewtonOperator
from lrtransfer.study.storage.paths import Layout
from lrtransfer.study.training.run import TrainingRun
from lrtransfer.study.training.tensors import save_tensors
from tests.study.probes.dense import hessian_spectrum, ntk_spectrum
from tests.tiny import blobs, store_blobs, tiny_run

CPU = torch.device("cpu")
STEP = 2
CODE = """
import torch
from torch import nn

def problem():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    batch = torch.randn(9, 3).double(), torch.arange(9) % 2
    return model, nn.functional.cross_entropy, batch

def fails():
    raise KeyError("data")

def other():
    return 3
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield


@pytest.fixture
def checkpoint() -> tuple[Path, TrainingRun]:
    """Return a stored checkpoint and a run that has its weights."""
    config = tiny_run(precision="float64").config
    store_blobs(config.data)
    run = TrainingRun(config, blobs(), CPU)
    for _ in range(STEP):
        run.update_once()
    path = Layout().checkpoint("0" * 16, STEP)
    about = {"key": "0" * 16, "step": STEP, "status": "ok", "config": config.to_json()}
    save_tensors(path, run.weights(), about)
    return path, run


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, nn.Module]:
    """Return a user's weights and a model that has them."""
    name = "own_problem"
    (tmp_path / f"{name}.py").write_text(CODE, encoding="utf-8")
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    path = tmp_path / "weights.safetensors"
    save_file(model.state_dict(), path)
    return path, model


def printed(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, object]:
    assert main(["sharpness", *map(str, arguments), "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def values(found: dict[str, object], operator: str) -> list[float]:
    rows = found["eigenvalues"]
    assert isinstance(rows, list)
    return [row["value"] for row in rows if row["operator"] == operator]


def test_a_checkpoint_is_measured_as_its_run_was(
    checkpoint: tuple[Path, TrainingRun], capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = checkpoint
    operators = ["--operator", "hessian", "ntk", "-k", "3", "--tolerance", "1e-6"]
    found = printed(capsys, path, *operators)
    assert values(found, "hessian") == pytest.approx(
        hessian_spectrum(run).flip(0)[:3].tolist(), rel=1e-8
    )
    assert values(found, "ntk") == pytest.approx(ntk_spectrum(run).flip(0)[:3].tolist(), rel=1e-8)
    assert found["step"] == STEP and found["config"] == run.config.to_json()
    momentum = run.config.optimizer.options["momentum"]
    edge = (2 + 2 * momentum) / run.config.learning_rate
    assert found["edge_of_stability"] == pytest.approx(edge)


def test_fewer_samples_give_another_matrix(
    checkpoint: tuple[Path, TrainingRun], capsys: pytest.CaptureFixture[str]
) -> None:
    path, _ = checkpoint
    every, few = printed(capsys, path), printed(capsys, path, "--samples", "4")
    assert values(every, "hessian") != values(few, "hessian")


def test_the_table_names_run_edge_and_eigenvalues(
    checkpoint: tuple[Path, TrainingRun], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sharpness", str(checkpoint[0]), "-k", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "step 2" in lines[0] and "residual_mlp" in lines[0]
    assert "edge of stability" in lines[2]
    assert [line.split()[:2] for line in lines[4:]] == [["hessian", "1"], ["hessian", "2"]]


def test_own_weights_are_measured_in_own_code(
    own: tuple[Path, nn.Module], capsys: pytest.CaptureFixture[str]
) -> None:
    path, model = own
    torch.manual_seed(0)
    nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))  # the draws before the data's
    batch = (torch.randn(9, 3).double(), torch.arange(9) % 2)
    matrix = dense(GaussNewtonOperator(model, nn.functional.cross_entropy, batch))
    arguments = ("--operator", "ggn", "-k", "4", "--tolerance", "1e-6")
    found = printed(capsys, path, "--problem", "own_problem:problem", *arguments)
    exact = torch.linalg.eigvalsh(matrix).flip(0)[:4].tolist()
    assert values(found, "ggn") == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ("own_problem", "Write module:function"),
        ("own_problem:nothing", "Write module:function"),
        ("no_such_module:problem", "Write module:function"),
        ("own_problem:fails", "failed with KeyError"),
        ("own_problem:other", "Return (model, loss_fn, batch)"),
    ],
)
def test_a_function_that_gives_no_problem_is_named(
    own: tuple[Path, nn.Module], problem: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sharpness", str(own[0]), "--problem", problem]) == 1
    assert message in capsys.readouterr().err


def test_a_pickle_is_never_loaded(
    own: tuple[Path, nn.Module], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "sprung",)

    path = tmp_path / "weights.pt"
    path.write_bytes(pickle.dumps({"0.weight": Trap()}))
    assert main(["sharpness", str(path), "--problem", "own_problem:problem"]) == 1
    assert "save_file" in capsys.readouterr().err
    assert not (tmp_path / "sprung").exists()


def test_weights_of_another_model_are_refused(
    own: tuple[Path, nn.Module], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"0.weight": torch.zeros(2, 2)}, path)
    assert main(["sharpness", str(path), "--problem", "own_problem:problem"]) == 1
    assert "does not fit the model" in capsys.readouterr().err


def test_a_file_that_is_no_checkpoint_asks_for_the_problem(
    own: tuple[Path, nn.Module], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sharpness", str(own[0])]) == 1
    assert "--problem" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--operator", "hesian"], "choose among"),
        (["-k", "0"], "k is 0"),
        (["--samples", "999"], "999"),
        (["--samples", "0"], "--samples is 0. Give 1 or more."),
        (["--samples", "-3"], "--samples is -3. Give 1 or more."),
        (["--tolerance", "2"], "tolerance is 2"),
    ],
)
def test_bad_arguments_are_named(
    checkpoint: tuple[Path, TrainingRun],
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sharpness", str(checkpoint[0]), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_diverged_run_has_no_weights(
    checkpoint: tuple[Path, TrainingRun], capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = checkpoint
    config = run.config.to_json()
    about = {"key": "0" * 16, "step": STEP, "status": "diverged", "config": config}
    save_tensors(path, {}, about)
    assert main(["sharpness", str(path)]) == 1
    assert "diverged before step 2" in capsys.readouterr().err
