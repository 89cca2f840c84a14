"""Runs, their keys, and what may and may not change them."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from lrtransfer.study.plan import fingerprint
from lrtransfer.study.plan.expand import plan
from lrtransfer.study.plan.load import parse_study
from lrtransfer.study.plan.parameterizations import TABLE
from tests.tiny import EXPERIMENT, PARAMS, tiny_grid, tiny_params, tiny_plan

# A study of one run, written out: its key must never change unless SCHEMA does.
GOLDEN = """
scale: laptop
experiments: all
data:
  mnist5k: {source: mnist5k, sha256: "%s", options: {test_per_class: 100, split_seed: 0}}
parameterizations:
  plain:
    description: all ones
    source: test
    families: {sgd: {input: {init: {fan_in: -0.5}}, hidden: {}, output: {}, branch: {}}}
study:
  one:
    question: One?
    dataset: mnist5k
    model: {residual_mlp: {skip: 1.0, layers_per_branch: 1, activation: relu}}
    loss: squared
    optimizer: {sgd: {momentum: 0.5}}
    schedule: {constant: {warmup_steps: 0}}
    arms: {plain: {parameterization: plain, lr: 2^-2 .. 2^-1, measured_at: 2^-1}}
    widths: [4]
    depths: [2]
    seeds: [7]
    steps: 10
    batch_size: 5
    loss_window: 2
    measure: {probes: [norms], samples: 6, points: 3, spacing: linear}
    spectra: {steps: [10], samples: 6, top: 2, density: {probes: 1, steps: 2}}
resources:
  train: {mem_mb: 1, runtime_minutes: 1}
  spectra: {mem_mb: 1, runtime_minutes: 1}
""" % ("0" * 64)

Change = Callable[[dict[str, Any], dict[str, Any], dict[str, Any]], None]


def at(path: str, value: Any) -> Change:
    """Return a change of the field at ``path`` in root, experiment (E) or grid (G)."""

    def change(root: dict[str, Any], experiment: dict[str, Any], grid: dict[str, Any]) -> None:
        where, *sections, last = path.split("/")
        place: Any = {"R": root, "E": experiment, "G": grid}[where]
        for section in sections:
            place = place[section]
        place[last] = value

    return change


def keys(*changes: Change, measured: bool | None = None) -> set[str]:
    """Return the run keys of the tiny study after ``changes``."""
    content = tiny_params()
    for change in changes:
        change(content, content["study"][EXPERIMENT], tiny_grid(content))
    return {
        run.key for run in tiny_plan(content).runs if measured is None or run.measured == measured
    }


def test_golden_keys_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "code", lambda *roots: {})
    runs = plan(parse_study(yaml.safe_load(GOLDEN))).runs
    assert [run.key for run in runs] == ["d0e1603e5f332836", "e383045884a8ab2c"]


@pytest.mark.parametrize(
    "change",
    [
        at("R/device", "auto"),
        at("R/resources/train/mem_mb", 9),
        at("R/resources/runs_per_job", 2),
        at("R/figures", {"dpi": 99}),
        at("R/fits", {"confidence": 0.9}),
        at("E/question", "Other?"),
        at("E/group", "extra"),
        at("E/figures", []),
        at("E/arms/mup/label", "other"),
        at("G/loss_window", 2),
        at("G/spectra/top", 2),
        at("G/spectra/samples", 9),
        at("G/spectra/steps", [4]),
        at("G/measure/probes", ["norms", "ntk", "sharpness", "subset_loss"]),
        at("E/model/residual_mlp/skip", 1),
        at("E/constants/gamma0", 1),
        at("E/arms/mup/measured_at", 1),
        at("E/arms/mup/lr", [0.25, 1, 4]),
        at("E/schedule", {"constant": {"warmup_steps": 0}}),
    ],
)
def test_what_is_no_science_leaves_every_key(change: Change) -> None:
    assert keys(change) == keys()


def test_an_experiment_s_name_leaves_every_key() -> None:
    def rename(root: dict[str, Any], experiment: dict[str, Any], grid: dict[str, Any]) -> None:
        root |= {"study": {"other": experiment}, "experiments": "all"}

    assert keys(rename) == keys()


def test_an_arm_s_name_leaves_every_key() -> None:
    def rename(root: dict[str, Any], experiment: dict[str, Any], grid: dict[str, Any]) -> None:
        experiment["arms"]["other"] = experiment["arms"].pop("mup")

    assert keys(rename) == keys()


def test_a_parameterization_counts_by_what_it_says_not_by_its_name() -> None:
    def own(root: dict[str, Any], experiment: dict[str, Any], grid: dict[str, Any]) -> None:
        table = yaml.safe_load(TABLE.read_text(encoding="utf-8"))
        root["parameterizations"] = {"mine": table["mup"] | {"description": "my own"}}
        experiment["arms"]["mup"]["parameterization"] = "mine"

    assert keys(own) == keys()


def test_the_order_of_fields_leaves_every_key() -> None:
    def reverse(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: reverse(value[key]) for key in reversed(value)}
        return value

    content = reverse(tiny_params())
    assert {run.key for run in tiny_plan(content).runs} == keys()


@pytest.mark.parametrize(
    "change",
    [
        at("G/steps", 7),
        at("G/batch_size", 9),
        at("G/precision", "float64"),
        at("G/depths", [2]),
        at("G/widths", [5, 7]),
        at("G/seeds", [2, 3]),
        at("E/loss", "squared"),
        at("E/model/residual_mlp/skip", 0.0),
        at("E/model/residual_mlp/activation", "relu"),
        at("E/model/residual_mlp/layers_per_branch", 2),
        at("E/optimizer/sgd/momentum", 0.6),
        at("E/schedule", {"constant": {"warmup_steps": 3}}),
        at("E/tuner", "cdat"),
        at("E/constants/branch_exponent", 1.0),
        at("E/constants/gamma0", 2.0),
        at("E/constants/base_width", 2),
        at("E/constants/base_depth", 2),
        at("R/data/mnist5k/sha256", "0" * 64),
        at("R/data/mnist5k/options/test_per_class", 99),
    ],
)
def test_every_scientific_field_changes_every_key(change: Change) -> None:
    def spectra_fit(root: dict[str, Any], experiment: dict[str, Any], grid: dict[str, Any]) -> None:
        grid["spectra"]["seeds"] = grid["seeds"][:1]

    assert not keys(change, spectra_fit) & keys(spectra_fit)


@pytest.mark.parametrize(
    "change",
    [
        at("G/measure/probes", ["norms", "ntk"]),
        at("G/measure/samples", 9),
        at("G/measure/points", 2),
        at("G/measure/spacing", "linear"),
    ],
)
def test_what_is_measured_counts_for_the_measured_runs_alone(change: Change) -> None:
    assert not keys(change, measured=True) & keys(measured=True)
    assert keys(change, measured=False) == keys(measured=False)


@pytest.mark.parametrize(
    ("change", "added"),
    [
        (at("E/arms/mup/lr", [0.25, 1.0, 2.0, 4.0]), 4),
        (at("G/seeds", [0, 1, 2]), 18),
        (at("G/widths", [4, 6, 8]), 18),
        (at("G/depths", [1, 2]), 36),
    ],
)
def test_more_of_an_axis_leaves_the_old_keys(change: Change, added: int) -> None:
    assert keys() < keys(change)
    assert len(keys(change)) == len(keys()) + added


def test_a_seed_offset_is_the_same_study_with_other_seeds() -> None:
    by_hand = at("G/seeds", [10, 11]), at("G/spectra/seeds", [10])
    assert keys(at("R/seed_offset", 10)) == keys(*by_hand)
    assert keys(at("R/seed_offset", 0)) == keys()
    content = tiny_params() | {"seed_offset": 10}
    assert {spectrum.run.seed for spectrum in tiny_plan(content).spectra} == {10}
    assert len(keys(at("R/seed_offset", 1)) & keys()) == len(keys()) // 2, "seed 1 is in both"


def test_another_arm_leaves_the_old_keys() -> None:
    def another(root: dict[str, Any], experiment: dict[str, Any], grid: dict[str, Any]) -> None:
        arm = experiment["arms"]["mup"] | {"constants": {"gamma0": 3.0}}
        experiment["arms"]["rich"] = arm | {"lr": 1.0, "label": "rich"}

    assert keys() < keys(another)
    assert len(keys(another)) == len(keys()) + 4


def test_the_plan_counts_runs_spectra_and_sweeps() -> None:
    made = tiny_plan()
    assert len(made.sweeps) == 3 * 2
    assert len(made.runs) == len({run.key for run in made.runs}) == 3 * 2 * 3 * 2
    # Spectra: the reference rate of 3 arms × 2 widths, one seed, two steps.
    assert len(made.spectra) == len({s.key for s in made.spectra}) == 3 * 2 * 1 * 2
    assert sum(run.measured for run in made.runs) == 3 * 2 * 2
    assert [dataset.name for dataset in made.datasets] == ["mnist5k"]
    assert made.experiments == (EXPERIMENT,)


def test_a_run_says_in_its_configuration_what_it_is() -> None:
    for run in tiny_plan().runs:
        assert (run.config.model.width, run.config.model.depth) == (run.width, run.depth)
        assert (run.config.learning_rate, run.config.seed) == (run.learning_rate, run.seed)
        content = run.config.to_json()
        assert run.key == fingerprint.digest({"config": content, "code": run.code})[:16]
        assert json.loads(json.dumps(content)) == content


def test_measured_runs_are_those_at_the_reference_rate() -> None:
    for run in tiny_plan().runs:
        assert run.measured == (
            run.learning_rate == {"mup": 1.0, "ntp": 16.0, "sp": 0.0625}[run.arm]
        )
        assert (run.config.measure is not None) == run.measured
        assert run.checkpoints == ((2, 6) if run.measured and run.seed == 0 else ())


@pytest.mark.process
def test_a_thousand_runs_expand_without_torch_or_pandas(tmp_path: Path) -> None:
    content = tiny_params()
    tiny_grid(content)["seeds"] = list(range(60))
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    code = (
        "import sys; from pathlib import Path; from lrtransfer.study.plan.expand import plan;"
        "from lrtransfer.study.plan.load import load_study;"
        "print(len(plan(load_study(Path(sys.argv[1]))).runs));"
        "print(*{'torch', 'pandas', 'pyarrow', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["1080", ""]


def test_the_real_study_shares_no_key_between_different_configurations() -> None:
    runs = plan(parse_study(yaml.safe_load(PARAMS.read_text(encoding="utf-8")))).runs
    configs = {run.key: run.config for run in runs}
    assert all(configs[run.key] == run.config for run in runs)


def test_where_data_were_fetched_from_is_no_part_of_their_identity() -> None:
    ids = set()
    for url in ("https://example.org/corpus.txt", "/a/mirror/corpus.txt"):
        content = tiny_params()
        spec = {"source": "text_file", "sha256": "0" * 64, "options": {"url": url}}
        content["data"]["corpus"] = spec
        tiny_grid(content)["dataset"] = "corpus"
        (corpus,) = [d for d in tiny_plan(content).datasets if d.name == "corpus"]
        ids.add(corpus.id)
    assert len(ids) == 1


def test_a_run_that_experiments_share_keeps_what_any_of_them_asks_for() -> None:
    content = tiny_params()
    twin = copy.deepcopy(content["study"][EXPERIMENT])
    del twin["spectra"]
    content["study"]["twin"] = twin
    content["experiments"] = "all"
    content["study"][EXPERIMENT]["group"] = twin["group"] = "core"
    made = tiny_plan(content)
    by_key: dict[str, set[tuple[int, ...]]] = {}
    for run in made.runs:
        by_key.setdefault(run.key, set()).add(run.checkpoints)
    assert all(len(checkpoints) == 1 for checkpoints in by_key.values())
    assert {(), (2, 6)} == set().union(*by_key.values())
    assert len(made.spectra) == len(tiny_plan().spectra)


def test_a_tuner_and_fewer_samples_stand_where_they_are_asked_for_alone() -> None:
    def ask(root: dict[str, Any], experiment: dict[str, Any], grid: dict[str, Any]) -> None:
        experiment["arms"]["mup"]["tuner"] = {"cdat": {"decay": 0.9}}
        grid["train_samples"] = 100
        del grid["spectra"]

    content = tiny_params()
    ask(content, content["study"][EXPERIMENT], tiny_grid(content))
    by_arm = {run.arm: run for run in tiny_plan(content).runs}
    tuner = by_arm["mup"].config.tuner
    assert tuner is not None
    assert {"decay": 0.9, "sigma": 2.0, "every": 1}.items() <= dict(tuner.options).items()
    assert {"optim/tuners/cdat.py", "study/training/tuned_updates.py"} <= set(by_arm["mup"].code)
    assert "tuner" not in by_arm["sp"].config.to_json()
    assert not [file for file in by_arm["sp"].code if "tune" in file]
    assert by_arm["sp"].config.train_samples == 100
    plain = {run.arm: run for run in tiny_plan().runs}
    assert "train_samples" not in plain["sp"].config.to_json()
    assert not [file for file in plain["sp"].code if "tune" in file or "fewer" in file]
