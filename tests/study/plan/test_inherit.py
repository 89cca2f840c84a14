"""Who inherits what: whose word counts, what null does, what the small scale keeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from lrtransfer.cli import main
from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import load_study, parse_study, read_params
from lrtransfer.study.plan.resolved import written_out
from lrtransfer.study.plan.schema import Study, of_arm
from lrtransfer.study.plan.yaml_file import StudyError
from tests.tiny import EXPERIMENT, PARAMS, real_params, tiny_params

NAMES = list(real_params()["study"])
OWN = """
question: Does momentum move the best learning rate?
like: width_transfer_vision
only: [mup]
figures: [width_transfer]
arms:
  heavy: {like: mup, optimizer: {sgd: {momentum: 0.9}}, lr: 2^-6 .. 2^0, measured_at: 2^-3}
widths: [32, 64]
spectra: null
"""


def study(text: str, *, defaults: str = "", **settings: Any) -> Study:
    """Return a study of experiments beside the tiny one."""
    content = tiny_params() | {"experiments": "all", "defaults": yaml.safe_load(defaults) or {}}
    content["study"] |= yaml.safe_load(text)
    return parse_study(content | settings)


def test_an_experiment_takes_from_its_parent_what_it_does_not_say_but_no_paper_and_no_group() -> (
    None
):
    child = study(f"{{child: {{like: {EXPERIMENT}, question: Why, steps: 9}}}}").study["child"]
    parent = study("{}").study[EXPERIMENT]
    assert (child.question, child.paper, child.group) == ("Why", None, "extra")
    assert (child.arms, child.figures) == (parent.arms, parent.figures)
    before, after = (e.scales["laptop"].model_dump() for e in (parent, child))
    assert after == before | {"steps": 9}


def test_the_nearer_word_counts() -> None:
    """Defaults, parent, experiment, scale, arm, arm at the scale."""
    text = """
    parent: {like: %s, question: Why, steps: 12, batch_size: 7, scales: {paper: {steps: 40}}}
    child:
      {like: parent, question: Why, batch_size: 6, arms: {mup: {steps: 20}, ntp: {batch_size: 5}},
       scales: {paper: {batch_size: 3, arms: {ntp: {steps: 50}}}}}
    """
    child = study(text % EXPERIMENT, defaults="{steps: 99, precision: float64}").study["child"]
    laptop, paper = child.scales["laptop"], child.scales["paper"]
    assert laptop.precision == "float64"
    assert laptop.steps == {"mup": 20, "ntp": 12, "sp": 12}
    assert laptop.batch_size == {"mup": 6, "ntp": 5, "sp": 6}
    assert paper.steps == {"mup": 20, "ntp": 50, "sp": 40}
    assert paper.batch_size == {"mup": 3, "ntp": 5, "sp": 3}


def test_the_same_part_merges_and_another_replaces() -> None:
    text = """
    same: {like: %s, question: Why, model: {residual_mlp: {skip: 0.5}}, measure: {points: 2}}
    other: {like: %s, question: Why, model: {mlp_mixer: {patch: 7}}, optimizer: adam}
    """
    found = study(text % (EXPERIMENT, EXPERIMENT)).study
    assert found["same"].model.options == {"skip": 0.5, "activation": "tanh"}
    assert found["same"].scales["laptop"].measure.points == 2  # type: ignore[union-attr]
    assert found["same"].scales["laptop"].measure.samples == 12  # type: ignore[union-attr]
    assert found["other"].model.options == {"patch": 7}
    assert {arm.optimizer.name for arm in found["other"].arms.values()} == {"adam"}
    assert not any(arm.optimizer.options for arm in found["other"].arms.values())


def test_null_switches_off_at_every_scale() -> None:
    text = """
    parent: {like: %s, question: Why, scales: {paper: {spectra: {top: 5}, measure: {points: 2}}}}
    child: {like: parent, question: Why, spectra: null}
    """
    found = study(text % EXPERIMENT).study
    assert found["parent"].scales["paper"].spectra.top == 5  # type: ignore[union-attr]
    assert {grid.spectra for grid in found["child"].scales.values()} == {None}
    assert found["child"].scales["paper"].measure.points == 2  # type: ignore[union-attr]


def test_null_leaves_out_an_inherited_scale() -> None:
    text = """
    parent: {like: %s, question: Why, scales: {paper: {steps: 640}, gpu: {like: paper}}}
    child: {like: parent, question: Why, scales: {paper: null, smoke: null}}
    heir: {like: child, question: Why}
    """
    rule = yaml.safe_dump({"scales": {"smoke": real_params()["defaults"]["scales"]["smoke"]}})
    found = study(text % EXPERIMENT, defaults=rule).study
    assert list(found["parent"].scales) == ["gpu", "laptop", "paper", "smoke"]
    assert list(found["child"].scales) == list(found["heir"].scales) == ["gpu", "laptop"]
    assert found["heir"].scales["gpu"].steps == 640


def test_only_picks_arms_in_its_order_and_an_arm_may_be_like_one_that_is_left_out() -> None:
    text = """
    child:
      {like: %s, question: Why, only: [sp, rich, mup],
       arms: {rich: {like: ntp, constants: {gamma0: 2.0}}, mup: 2^0,
              last: {like: mup, trained: output}}}
    """
    child = study(text % EXPERIMENT).study["child"]
    assert list(child.arms) == ["sp", "rich", "mup", "last"]
    assert child.arms["rich"].parameterization == "ntp"
    assert child.arms["rich"].label == "rich", "two curves of one label could not be told apart"
    rates = child.scales["laptop"].learning_rates
    assert rates["rich"] == [4.0, 16.0, 64.0]
    assert rates["last"] == rates["mup"] == [1.0]


def test_an_arm_like_another_follows_it_at_every_scale() -> None:
    text = """
    child:
      {like: %s, question: Why, arms: {twin: {like: mup, trained: output}},
       scales: {paper: {arms: {mup: {lr: 2^1 .. 2^2, measured_at: 2^1}}}}}
    """
    paper = study(text % EXPERIMENT).study["child"].scales["paper"]
    assert paper.learning_rates["twin"] == [2.0, 4.0]
    assert paper.reference_learning_rate["twin"] == 2.0


def test_an_axis_of_one_rate_is_measured_there_unless_it_says_otherwise() -> None:
    text = """
    child: {like: %s, question: Why, arms: {mup: {lr: 2^2, measured_at: null}, sp: {lr: 2^-4}}}
    """
    grid = study(text % EXPERIMENT).study["child"].scales["laptop"]
    assert grid.reference_learning_rate == {"ntp": 16.0, "sp": 0.0625}


def test_a_loss_window_is_a_share_of_each_arm_s_run() -> None:
    text = "{child: {like: %s, question: Why, loss_window: 1/3, arms: {mup: {steps: 9}}}}"
    grid = study(text % EXPERIMENT).study["child"].scales["laptop"]
    assert grid.loss_window == {"mup": 3, "ntp": 2, "sp": 2}


def test_weight_decay_stands_in_place_of_the_optimizer_s_option() -> None:
    text = """
    child:
      {like: %s, question: Why, optimizer: {adamw: {weight_decay: 0.1}},
       arms: {mup: {weight_decay: 0.3}}, scales: {paper: {weight_decay: 0.2}}}
    """
    made = {
        scale: plan(study(text % EXPERIMENT, scale=scale, experiments=["child"]))
        for scale in ("laptop", "paper")
    }
    found = {
        (scale, run.arm): run.config.optimizer.options["weight_decay"]
        for scale, found in made.items()
        for run in found.runs
    }
    assert (found["laptop", "mup"], found["laptop", "sp"]) == (0.3, 0.1)
    assert (found["paper", "mup"], found["paper", "sp"]) == (0.3, 0.2)


def test_augmentation_is_an_arm_s_own_and_tells_arms_apart() -> None:
    text = """
    child:
      {like: %s, question: Why, only: [mup, sp], augmentation: crop_flip,
       arms: {plain: {like: mup, augmentation: null}, sp: {augmentation: none}}}
    """
    made = plan(study(text % EXPERIMENT, experiments=["child"]))
    found = {run.arm: run.config.augmentation for run in made.runs}
    assert found == {"mup": "crop_flip", "sp": None, "plain": None}
    alike = "{child: {like: %s, question: Why, arms: {twin: {like: mup, %s}}}}"
    assert "twin" in study(alike % (EXPERIMENT, "augmentation: crop_flip")).study["child"].arms
    with pytest.raises(StudyError, match="the same setting as arm 'mup'"):
        study(alike % (EXPERIMENT, "label: twin"))


RULE = """
scales:
  smoke:
    {from: laptop, sizes: 1, seeds: 1, rates: 2, steps: 1/4, batch_size: 1/2, samples: 1/3,
     points: 2}
"""


def test_the_small_scale_is_derived_by_the_rule_and_what_it_says_itself_counts_more() -> None:
    text = """
    child:
      {like: %s, question: Why, steps: 64, seeds: [0, 1, 2],
       spectra: {steps: [2, 64], seeds: [0, 2]},
       arms: {mup: {batch_size: 20}}, scales: {smoke: {depths: [3], measure: {points: 3}}}}
    """
    grid = study(text % EXPERIMENT, defaults=RULE).study["child"].scales["smoke"]
    assert (grid.widths, grid.depths, grid.seeds) == ([4], [3], [0])
    assert (grid.steps, grid.loss_window) == (16, 1)
    assert grid.batch_size == {"mup": 10, "ntp": 4, "sp": 4}
    assert grid.learning_rates == {"mup": [0.25, 1.0], "ntp": [4.0, 16.0], "sp": [2**-6, 2**-4]}
    assert grid.measure is not None and grid.spectra is not None
    assert (grid.measure.samples, grid.measure.points) == (4, 3)
    assert (grid.spectra.steps, grid.spectra.seeds, grid.spectra.samples) == ([2, 16], [0], 4)


def test_a_scale_that_is_like_another_takes_its_word_where_it_says_nothing() -> None:
    text = """
    child:
      {like: %s, question: Why, scales: {
       paper: {steps: 640, widths: [8, 16], arms: {mup: {batch_size: 20}}},
       gpu: {like: paper, steps: 64, arms: {mup: 2^0}}}}
    """
    scales = study(text % EXPERIMENT).study["child"].scales
    gpu, paper = scales["gpu"], scales["paper"]
    assert (gpu.widths, gpu.batch_size) == (paper.widths, paper.batch_size)
    assert (gpu.steps, paper.steps) == (64, 640)
    assert gpu.learning_rates["mup"] == [1.0]
    assert gpu.learning_rates["sp"] == paper.learning_rates["sp"]


def test_scales_that_are_like_each_other_are_refused() -> None:
    text = """
    child:
      {like: %s, question: Why, scales: {paper: {like: gpu}, gpu: {like: paper}}}
    """
    with pytest.raises(StudyError, match=r"is a circle\. Let one of them stand alone"):
        study(text % EXPERIMENT)


def test_every_experiment_s_small_scale_is_smaller_than_the_laptop_s() -> None:
    for experiment in load_study(PARAMS).study.values():
        small, whole = (experiment.scales[scale] for scale in ("smoke", "laptop"))
        assert max(len(axis) for axis in small.learning_rates.values()) <= 3
        assert (len(small.widths), len(small.depths)) <= (2, 2)
        for arm in experiment.arms:
            assert of_arm(small.steps, arm) <= max(of_arm(whole.steps, arm) / 16 + 0.5, 8)
            assert small.reference_learning_rate.get(arm) == whole.reference_learning_rate.get(arm)


def test_an_inherited_fault_is_told_once_and_where_it_stands() -> None:
    content = real_params()
    content["study"][EXPERIMENT]["measure"]["probes"] = ["sharpnes"]
    content["defaults"]["seeds"] = []
    with pytest.raises(StudyError) as caught:
        parse_study(content)
    assert caught.value.lines == ["params.yaml: defaults.seeds: is empty. Give at least one entry."]
    content["defaults"]["seeds"] = [3, 4, 5]
    with pytest.raises(
        StudyError, match=r"^params\.yaml: study\.\w+\.measure\.probes: unknown"
    ) as caught:
        parse_study(content)
    assert len(caught.value.lines) == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scale", "names"),
    [
        ("laptop", NAMES[::5]),
        ("paper", ["joint"]),
        ("smoke", ["width_transfer_vision"]),
        pytest.param("laptop", NAMES, marks=pytest.mark.long),
        pytest.param("smoke", NAMES, marks=pytest.mark.long),
        pytest.param("paper", NAMES, marks=pytest.mark.long),
    ],
)
def test_experiments_written_out_are_the_same_without_their_parents(
    scale: str, names: list[str]
) -> None:
    content, every = read_params(PARAMS), load_study(PARAMS).study
    names = [name for name in names if scale in every[name].scales]
    made = plan(load_study(PARAMS, scale=scale, experiments=",".join(names)))
    alone = {key: value for key, value in content.items() if key not in ("include", "defaults")}
    alone |= {"study": {}, "scale": "laptop", "experiments": "all"}
    for name in names:
        alone["study"] |= yaml.safe_load(written_out(content, name, scale))
    again = plan(parse_study(alone))
    for name in names:
        own, other = made.part(name), again.part(name)
        assert [run.key for run in other.runs] == [run.key for run in own.runs], name
        assert [s.key for s in other.spectra] == [s.key for s in own.spectra], name


def test_what_is_written_out_says_where_it_stands() -> None:
    lines = written_out(read_params(PARAMS), "width_transfer_gpt", "smoke").splitlines()
    found = {line.strip() for line in lines}
    assert "dataset: kjv" in found
    assert "loss: cross_entropy  # from defaults" in found
    assert "optimizer: adam  # from like: width_transfer_adam" in found
    assert "label: μP  # from like: width_transfer_vision" in found
    assert "seeds: [3, 4]  # from defaults, cut by defaults.scales.smoke.seeds" in found
    lines = written_out(read_params(PARAMS), "joint", "paper").splitlines()
    assert "    measured_at: 2^-9  # from scales.paper, arms.independent" in {
        line[2:] for line in lines
    }
    with pytest.raises(StudyError, match="Did you mean 'joint'"):
        written_out(read_params(PARAMS), "joit", "paper")


def own_file(folder: Path, text: str) -> Path:
    """Write params.yaml and a file with an experiment of one's own beside it."""
    (folder / "experiments").mkdir()
    (folder / "experiments" / "mine.yaml").write_text(text, encoding="utf-8")
    path = folder / "params.yaml"
    path.write_text(PARAMS.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_an_experiment_of_one_s_own_takes_twelve_lines_in_a_file_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = yaml.safe_dump({"momentum": yaml.safe_load(OWN)}, sort_keys=False)
    assert len(OWN.split("\n")) <= 12
    path = own_file(tmp_path, text)
    made = plan(load_study(path, experiments="momentum"))
    assert len(made.runs) == 2 * (5 + 7) * 5
    own = made.study.study["momentum"]
    assert (own.paper, own.group) == (None, "extra")
    assert main(["check", str(path), "--resolved", "momentum"]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == (
        "# momentum, with all that it inherits; what has no remark, it says itself."
    )
    assert {"widths: [32, 64]", "steps: 256  # from defaults", "momentum: 0.9"} <= set(lines)
    assert "parameterization: mup  # from like: width_transfer_vision, arms.mup" in lines


def test_a_fault_in_an_included_file_is_told_with_that_file(tmp_path: Path) -> None:
    path = own_file(tmp_path, "momentum: {like: joint, question: Why, stepz: 3}\n")
    file = tmp_path / "experiments" / "mine.yaml"
    with pytest.raises(StudyError) as caught:
        load_study(path)
    assert caught.value.lines == [f"{file}: momentum.stepz: unknown field. Did you mean 'steps'?"]
    file.write_text("joint: {like: tuners, question: Why}\n", encoding="utf-8")
    with pytest.raises(StudyError, match=r"mine\.yaml: joint: another experiment has this name"):
        load_study(path)


def test_a_file_may_be_included_from_anywhere(tmp_path: Path) -> None:
    own_file(tmp_path, "mine: {like: width_transfer_vision, question: Why}\n")
    content = real_params() | {"experiments": "mine"}
    for pattern in ("experiments/mine.yaml", "*/*.yaml"):
        for include in (str(tmp_path / pattern), pattern):
            made = parse_study(content | {"include": [include]}, source=tmp_path / "params.yaml")
            assert "mine" in made.study
