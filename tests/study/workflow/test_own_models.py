"""What is wrong with a model of one's own is named before anything trains."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import pytest

from lrtransfer.cli import main
from lrtransfer.study.data import prepare
from lrtransfer.study.data.pinned import changed
from lrtransfer.study.data.sources import source
from lrtransfer.study.plan.expand import Plan, plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.parameterizations import builtin
from lrtransfer.study.plan.yaml_file import StudyError
from lrtransfer.study.spectra import saved_model
from lrtransfer.study.workflow.cost import dataset_sizes, run_seconds
from lrtransfer.study.workflow.outside_check import _of_width, at_start, check_outside
from lrtransfer.study.workflow.preflight import check_own_parts, check_runs
from lrtransfer.study.workflow.trial import Machine
from tests.study.workflow.own_folder import write
from tests.tiny import tiny_grid, tiny_params

DATA = """import numpy as np


def blobs():
    inputs = np.random.default_rng(0).normal(size=(40, 1, 2, 3)).astype(np.float32)
    return {"train_inputs": inputs, "train_targets": np.arange(40) % 4}


DATASET = blobs
"""
MODEL = """from torch import nn


class Mine(nn.Module):
    def __init__(self, width, depth, in_features, out_features):
        super().__init__()
        self.embed = nn.Linear(in_features, width)
        self.readout = nn.Linear(width, out_features)

    def forward(self, inputs):
        return self.readout(self.embed(inputs.flatten(1)).relu())


MODEL = Mine
"""


@pytest.fixture(autouse=True)
def parts(own_folder: Path) -> None:
    for name, text in (("data/mine.py", DATA), ("models/mine.py", MODEL)):
        write(name, text)


def study(**changes: Any) -> Plan:
    content = tiny_params()
    content["data"] = {"mine": {"source": "mine", "sha256": "0" * 64}}
    grid = tiny_grid(content)
    del grid["spectra"], grid["constants"]
    grid |= {"dataset": "mine", "model": "mine", "figures": ["optima"], **changes}
    return plan(parse_study(content))


def fault() -> str:
    with pytest.raises(StudyError) as caught:
        check_runs(study())
    (line,) = caught.value.lines
    return line


@pytest.mark.slow
def test_a_plain_module_passes() -> None:
    check_runs(study())


def test_a_network_of_convolutions_is_priced_on_the_shape_of_its_data() -> None:
    convolution = MODEL.replace("Linear(in_features, width)", "Conv2d(1, width, (2, 3))").replace(
        "self.embed(inputs.flatten(1)).relu()", "self.embed(inputs).flatten(1).relu()"
    )
    write("models/mine.py", convolution)
    asked = study()
    check_runs(asked)
    sizes = dataset_sizes(asked)
    assert list(sizes.values()) == [((1, 2, 3), 4)]
    run = asked.runs[0]
    assert run_seconds(run, sizes[run.config.data], Machine()) > 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Linear(width, out_features)", "Linear(width, width)", r"returns \(2, 6\) for inputs"),
        ("flatten(1)", "flatten(0)", r"models/mine.py:11: RuntimeError: "),
        (".relu())", ".relu()),", "returns a tuple for inputs"),
        (
            "(self, inputs)",
            "(self, inputs, more)",
            r"'more'\). Correct `forward` in models/mine.py",
        ),
    ],
)
def test_wrong_outputs_are_named_with_what_the_data_need(old: str, new: str, told: str) -> None:
    write("models/mine.py", MODEL.replace(old, new))
    line = fault()
    assert re.search(told, line), line
    if "returns" in line:
        assert "inputs (2, 1, 2, 3), but the data need (2, 4): samples, outputs" in line
        assert line.endswith("Correct models/mine.py.")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("nn.Linear(in_features", "nn.Lineer(in_features", "models/mine.py:7: AttributeError: "),
        ("from torch import nn", "from torch import nm", "models/mine.py:1: ImportError: "),
        ("super().__init__()", "supper().__init__()", "models/mine.py:6: NameError: "),
    ],
)
def test_a_typo_is_one_line_with_file_and_line(old: str, new: str, told: str) -> None:
    write("models/mine.py", MODEL.replace(old, new))
    assert fault().startswith(told)


def test_a_syntax_error_is_one_line_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    write("models/mine.py", MODEL.replace("(self, inputs):", "(self, inputs:"))
    with pytest.raises(StudyError, match=r"^models/mine.py:10: .*Correct the Python at this line"):
        study()


def test_a_tensor_of_no_role_is_named_once() -> None:
    odd = "self.rates = nn.Parameter(__import__('torch').rand(width, 3))\n        self.embed"
    write("models/mine.py", MODEL.replace("self.embed", odd, 1))
    line = fault()
    assert "cannot tell the role of 'rates' of shape (4, 3)" in line and "LAYOUT" in line


def test_a_loss_of_one_s_own_is_tried_too() -> None:
    write("losses/mine.py", "def mine(outputs, targets):\n    return outputs\n\n\nLOSS = mine\n")
    with pytest.raises(StudyError, match=r"the loss 'mine' returns \(2, 4\)\. Return the mean"):
        check_runs(study(loss="mine", model={"residual_mlp": {}}))
    write("losses/mine.py", "def mine(outputs, targets):\n    return output\n\n\nLOSS = mine\n")
    with pytest.raises(StudyError, match=r"^losses/mine.py:2: NameError: "):
        check_runs(study(loss="mine"))


def test_a_loss_that_is_a_sum_over_samples_is_refused() -> None:
    text = "from torch.nn.functional import cross_entropy\n\n\ndef mine(outputs, targets):\n"
    text += '    return cross_entropy(outputs, targets, reduction="sum")\n\n\nLOSS = mine\n'
    write("losses/mine.py", text)
    with pytest.raises(StudyError, match=r"for two samples and .* for each of them twice\. Return"):
        check_runs(study(loss="mine"))
    write("losses/mine.py", text.replace("sum", "mean"))
    check_runs(study(loss="mine"))


def test_a_model_that_reads_values_is_priced_like_any_other() -> None:
    asked = study()
    sizes = dataset_sizes(asked)
    run = asked.runs[0]
    plain = run_seconds(run, sizes[run.config.data], Machine())
    reads = "if inputs.isnan().any():\n            raise ValueError\n        return self.readout"
    write("models/mine.py", MODEL.replace("return self.readout", reads))
    asked = study()
    check_runs(asked)
    run = asked.runs[0]
    priced = run_seconds(run, dataset_sizes(asked)[run.config.data], Machine())
    assert priced == pytest.approx(plain, rel=0.5)


@pytest.mark.parametrize("given", ["None", 'float("nan")', "-1.0"])
def test_a_schedule_is_tried_to_its_end(given: str) -> None:
    text = f"def mine(step, steps):\n    return {given} if step > 3 else 1.0\n\n\nSCHEDULE = mine\n"
    write("schedules/mine.py", text)
    with pytest.raises(StudyError, match=r"the schedule 'mine' gives .* at step 4 of"):
        check_runs(study(schedule="mine"))


def test_classes_for_a_loss_of_numbers_are_told_before_the_loss_fails() -> None:
    write("data/mine.py", DATA.replace("np.arange(40) % 4", "np.random.rand(40, 1)"))
    with pytest.raises(StudyError, match="cross_entropy is of classes"):
        check_runs(study())


@pytest.mark.slow
def test_a_model_that_cannot_train_with_others_as_one_is_refused() -> None:
    check_runs(study(batched=4))
    write("models/mine.py", "import torch\n" + MODEL.replace("relu()", "relu() * torch.rand(())"))
    told = r"mup .*: models/mine\.py: fails where runs train as one.*RuntimeError.*Remove batched"
    with pytest.raises(StudyError, match=told):
        check_runs(study(batched=4))
    check_runs(study())


def test_a_job_that_is_not_checked_before_tries_its_own_models() -> None:
    write("models/mine.py", MODEL.replace("Linear(width, out_features)", "Linear(width, width)"))
    made = study()
    wide = [run for run in made.runs if run.width == 6]
    with pytest.raises(StudyError, match=r"depth 1\): the model 'mine' returns \(2, 6\)"):
        check_own_parts(made, wide[:1])


def test_an_option_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(StudyError, match="'mine' has no such option"):
        study(model={"mine": {"states": 4}})


@pytest.mark.parametrize("size", ["width", "depth"])
def test_an_axis_that_the_model_does_not_take_is_refused(size: str) -> None:
    text = MODEL.replace(f"{size}, ", "", 1).replace("super()", f"{size} = 8\n        super()")
    write("models/mine.py", text)
    told = (
        rf"params.yaml: study.*\.{size}s: MODEL in models/mine.py takes no {size}, "
        rf".*Give it a parameter `{size}`"
    )
    with pytest.raises(StudyError, match=told):
        study(**{f"{size}s": [1, 2]})
    study(widths=[4], depths=[1])


def test_a_data_set_without_a_checksum_is_told_its_own(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["init", "new"]) == 0
    monkeypatch.chdir("new")
    params = Path("params.yaml")
    write("data/mine.py", DATA)
    text = "\n".join(line for line in params.read_text().splitlines() if "sha256" not in line)
    params.write_text(
        text.replace("source: mnist5k", "source: mine").replace(
            "    options: {test_per_class: 100, split_seed: 0}\n", ""
        )
    )
    capsys.readouterr()
    assert main(["status"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("params.yaml: data.digits.sha256: missing. Write it there")
    assert len(line.rpartition(" ")[2]) == 64


@pytest.mark.slow
def test_the_coordinate_check_takes_a_model_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    write("models/mine.py", MODEL + 'COORDINATE_CHECK = {"widths": (16, 32, 64)}\n')
    write(
        "nets.py",
        "from torch import nn\n\ndef net(width):\n    return nn.Sequential("
        "nn.Linear(4, width), nn.Tanh(), nn.Linear(width, 2))\n",
    )
    check_outside(["mine", "nets:net"], ["mup"], ["adamw"], builtin())
    told = capsys.readouterr().out
    assert "mine × mup × adamw" in told and "nets:net × mup × adamw" in told
    assert told.count("\nstable\n") == 2


def test_the_coordinate_check_takes_a_model_as_the_study_has_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = MODEL.replace("out_features)", "out_features, *, rows)", 1)
    seen = "assert inputs.shape[1:] == (1, 2, 3) and self.rows == 2\n        return"
    text = text.replace("self.embed =", "self.rows = rows\n        self.embed =")
    text = text.replace("return", seen) + 'COORDINATE_CHECK = {"widths": (8, 16)}\n'
    write("models/mine.py", text)
    made = study(model={"mine": {"rows": 2}})
    check_outside(["mine"], [], [], builtin(), made)
    told = [line for line in capsys.readouterr().out.splitlines() if " × " in line]
    assert told == ["mine × mup × sgd", "mine × ntp × sgd", "mine × sp × sgd"]
    with pytest.raises(ValueError, match=r"'mine' has no default for rows\. Name the model"):
        check_outside(["mine"], [], [], builtin())
    write("models/mine.py", text.replace("self.rows == 2", "self.raws == 2"))
    with pytest.raises(StudyError, match=r"^models/mine\.py:12: AttributeError: "):
        check_outside(["mine"], ["mup"], [], builtin(), made)


def test_the_coordinate_check_makes_a_network_by_the_name_width() -> None:
    net = (
        "class {}(nn.Sequential):\n    def __init__(self, *, {}):\n        super().__init__()\n\n\n"
    )
    kinds = net.format("Net", "width") + net.format("Deep", "width, depth")
    write("kinds.py", f"from torch import nn\n\n\n{kinds}")
    assert len(_of_width("kinds:Net")(8)) == 0  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"kinds:Deep is not made of a width alone\. Write a"):
        _of_width("kinds:Deep")


def test_tables_of_coordinates_are_refused_for_a_model_that_tells_no_roles(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["coordcheck", "--model", "mine", "--out", "table.csv"]) == 1
    assert "'mine' does not. Leave them out" in capsys.readouterr().err


def test_the_sharpness_of_a_study_s_model_at_its_start() -> None:
    made = study()
    (dataset,) = made.datasets
    told = changed(dataset)
    assert told is not None and "pins 000000000000…" in told
    sha256 = "0" * 64
    with pytest.raises(prepare.ChecksumError):
        prepare.prepare(dataset.id, "mine", sha256, {})
    content = source("mine", {}).read()
    prepare.prepare(dataset.id, "mine", hashlib.sha256(content).hexdigest(), {})
    problem = at_start(made, "mine", None)
    (found,) = saved_model.measure(problem, ["hessian"], 1)
    assert found.converged and found.value > 0
    with pytest.raises(ValueError, match="unknown model of this study 'gpt'"):
        at_start(made, "gpt", None)


def test_a_model_with_batch_statistics_passes() -> None:
    normed = "self.norm = nn.BatchNorm1d(width)\n        self.readout ="
    text = MODEL.replace("self.readout =", normed)
    write(
        "models/mine.py",
        text.replace(
            "self.embed(inputs.flatten(1))",
            "self.norm(\n            self.embed(inputs.flatten(1)))",
        ),
    )
    check_runs(study())


def test_a_default_that_is_no_plain_value_is_named_with_its_line() -> None:
    write("models/mine.py", MODEL.replace("out_features)", "out_features, *, mult=4 * 2)", 1))
    with pytest.raises(LookupError, match=r"models/mine\.py:5: the default 4 \* 2 is no plain"):
        study()
