"""The coordinate check over the study's models: verdicts, predictions, tables, the command."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
import torch

from lrtransfer import cli
from lrtransfer.coordinates.exponents import NOTHING, Exponent, predict
from lrtransfer.coordinates.growth import CoordinateCheck, Judged
from lrtransfer.coordinates.networks import Problem
from lrtransfer.coordinates.sizes import Coordinates, train
from lrtransfer.coordinates.structure import modules
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.exponents import Column
from lrtransfer.study.plan.parameterizations import builtin
from lrtransfer.study.workflow import coordinate_matrix
from lrtransfer.study.workflow.coordinate_matrix import (
    OUTPUTS,
    Combination,
    FailedCheckError,
    Sizes,
    check,
    column_rules,
    combinations,
    every_coordinate,
    line,
    problem,
    run,
    summary,
)
from lrtransfer.transfer.intervals import UNKNOWN, Interval

REPOSITORY = Path(__file__).parents[3]
SMALL = {
    "residual_mlp": Sizes((32, 64, 128, 256), samples=8),
    "gpt": Sizes((32, 64, 128), samples=2, depth=2, options={"block_size": 8}),
    "mlp_mixer": Sizes(
        (32, 64, 128),
        samples=2,
        depth=2,
        options={"channels": 1, "image_size": 8, "patch": 4, "bias": True},
    ),
}
DOZEN = [
    ("two_layer_linear", "sp", "sgd", False),
    ("two_layer_linear", "ntp", "sgd", True),
    ("two_layer_linear", "mup", "sgd", True),
    ("residual_mlp", "sp", "sgd", False),
    ("residual_mlp", "sp", "adamw", False),
    ("residual_mlp", "ntp", "sgd", True),
    ("residual_mlp", "mup", "sgd", True),
    ("residual_mlp", "complete_p", "adamw", True),
    ("residual_mlp", "everett_sp_no_alignment", "adamw", False),
    ("gpt", "mup", "sgd", True),
    ("gpt", "u_mup", "adamw", True),
    ("mlp_mixer", "mup_table9", "adamw", True),
]
OPTIMIZER = {"sgd": "sgd", "adam": "adamw"}
OPTIMIZER |= {"muon": "muon", "shampoo": "shampoo", "soap": "soap", "fixed_norm": "muonh"}
NAMED = Combination("gpt", "mup", "sgd")


def posed(model: str, name: str, column: Column, sizes: Sizes | None = None) -> Problem:
    return problem(model, column_rules(builtin()[name], column), OPTIMIZER[column], sizes)


@pytest.mark.parametrize(("model", "name", "optimizer", "stable"), DOZEN)
def test_coordinates_grow_as_the_rule_says(
    model: str, name: str, optimizer: str, stable: bool
) -> None:
    found = check(Combination(model, name, optimizer), builtin(), SMALL.get(model))
    assert found.as_predicted, found.worst
    assert found.stable == stable, found.fastest


@pytest.mark.long
@pytest.mark.parametrize("combination", combinations([], [], [], builtin()), ids=str)
def test_every_combination_grows_as_its_rule_says(combination: Combination) -> None:
    found = check(combination, builtin())
    assert found.as_predicted, found.worst
    predicted = [judged.predicted for judged in found.coordinates if judged.predicted]
    if all(exponent.high <= 0 for exponent in predicted):
        assert found.stable, found.fastest
    if any(exponent.low > 0 for exponent in predicted):
        assert not found.stable, found.fastest


def test_every_combination_that_a_table_has_is_checked() -> None:
    found = combinations([], [], [], builtin())
    columns = sum(len(spec.families.keys() & {"sgd", "adam"}) for spec in builtin().values())
    without_sgd = sum("sgd" in spec.families for spec in builtin().values())  # of the experts
    assert len(found) == len(catalog.families()) * columns - without_sgd
    assert len(set(found)) == len(found)


def test_a_table_without_the_optimizers_column_is_left_out() -> None:
    found = combinations(["gpt"], ["mup", "u_mup"], ["sgd"], builtin())
    assert found == [Combination("gpt", "mup", "sgd")]
    with pytest.raises(ValueError, match="u_mup has a column for sgd"):
        combinations(["gpt"], ["u_mup"], ["sgd"], builtin())


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((["gtp"], [], []), "--model gtp: unknown.*gpt"),
        (([], ["mupp"], []), "--parameterization mupp: unknown.*mup"),
        (([], [], ["sdg"]), "--optimizer sdg: unknown.*sgd"),
    ],
)
def test_an_unknown_name_is_told_with_those_there_are(
    asked: tuple[list[str], list[str], list[str]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        combinations(*asked, builtin())


@pytest.mark.parametrize("model", catalog.families())
def test_every_family_has_a_problem_of_four_widths(model: str) -> None:
    found = posed(model, "mup", "sgd")
    assert len(found.widths) >= 4
    net = found.network(found.widths[0], 0)
    assert net.model(found.inputs).shape == found.signs.shape


@pytest.mark.parametrize("model", ["vit", "gpt", "residual_mlp"])
def test_a_family_that_tells_no_sizes_is_checked_at_its_own_defaults(
    model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(room: str, name: str, constant: str) -> Any:
        raise LookupError

    monkeypatch.setattr(catalog, "constant", nothing)
    found = posed(model, "mup", "sgd")
    net = found.network(found.widths[0], 0)
    assert found.widths == (32, 64, 128, 256)
    assert net.model(found.inputs).shape == found.signs.shape


def test_signs_are_signs_and_the_batch_is_the_same_each_time() -> None:
    first, second = posed("gpt", "mup", "sgd"), posed("gpt", "mup", "sgd")
    assert set(first.signs.flatten().tolist()) == {-1.0, 1.0}
    torch.testing.assert_close(first.inputs, second.inputs, rtol=0, atol=0)
    assert torch.equal(first.signs, second.signs)
    assert first.inputs.max() < OUTPUTS


def test_the_first_width_is_the_base() -> None:
    found = posed("residual_mlp", "mup", "sgd", Sizes((8, 16)))
    rates = [found.network(n, 0).scaled["embed.weight"].learning_rate for n in (8, 16)]
    assert rates == [1.0, 2.0]


def test_the_own_update_of_a_gain_is_the_move_of_its_tensor() -> None:
    found = posed("gpt", "mup", "adam", Sizes((16, 32), samples=2, options={"block_size": 4}))
    net = found.network(16, 0)
    before = net.model.get_parameter("final_norm.gain.weight").detach().clone()
    sizes = train(net, found)
    moved = net.model.get_parameter("final_norm.gain.weight").detach() - before
    rms = moved.square().mean().sqrt().item()
    assert sizes[Coordinates("final_norm.gain", "own")] == pytest.approx(rms, rel=1e-9)
    assert sizes[Coordinates("final_norm.gain", "change")] == pytest.approx(rms, rel=1e-9)


def layers(model: str, sizes: Sizes | None = None) -> dict[str, Any]:
    found = posed(model, "mup", "sgd", sizes)
    net = found.network(found.widths[0], 0)
    assert net.roles
    return {layer.name: layer for layer in modules(net, net.roles, found.inputs)}


def test_gate_and_expansion_have_one_source_and_queries_are_seen_through_logits() -> None:
    found = layers("llama")
    through = {name for name, layer in found.items() if layer.through_logits}
    assert through == {f"branches.{i}.1.{kind}" for i in (0, 2) for kind in ("query", "key")}
    assert found["branches.1.1.expand"].source == "branches.1.1.gate"


def test_gains_and_tables_have_no_source_and_a_bias_of_all_keys_no_gradient() -> None:
    found = layers("gpt", Sizes((16, 32), options={"block_size": 4, "bias": True}))
    assert found["branches.0.0.gain"].source is None
    assert found["positions"].source is None
    still = {name for name, layer in found.items() if not layer.has_gradient}
    assert still == {"branches.0.1.key.bias", "branches.2.1.key.bias"}


def test_the_gradient_of_token_mixing_is_a_sum_of_independent_products() -> None:
    def own(column: Column, module: str) -> float:
        predicted = predict(posed("mlp_mixer", "mup", column), column)
        return predicted[Coordinates(module, "own")].high

    assert own("sgd", "branches.0.1.mix.expand.map") == -0.5
    assert own("sgd", "branches.0.1.mix.expand.bias") == -0.5
    assert own("sgd", "branches.1.1.expand.map") == 0
    assert own("adam", "branches.0.1.mix.expand.map") == 0


def test_a_bias_starts_at_zero_and_one_without_a_gradient_is_not_judged() -> None:
    found = predict(posed("mlp_mixer", "mup", "sgd"), "sgd")
    assert found[Coordinates("embed.bias", "start")] == (NOTHING, NOTHING)
    assert Coordinates("embed.bias", "own") in found
    assert Coordinates("branches.0.1.mix.contract.bias", "own") not in found


@pytest.mark.parametrize("model", ["gpt", "mlp_mixer", "residual_convnet"])
@pytest.mark.parametrize("name", builtin())
def test_every_table_has_a_prediction(model: str, name: str) -> None:
    if name == "hyper_p":
        pytest.skip("its readout starts at zero, which has no exponent")
    for column in builtin()[name].families:
        assert predict(posed(model, name, column), column)


def made(*measured: float) -> CoordinateCheck:
    """Return a check of coordinates that were all predicted at ½, and a zero bias."""
    coordinates = [
        Judged(
            Coordinates(f"layer{i}", "own"),
            Interval(m, m - 0.1, m + 0.1),
            Exponent(0.5, 0.5),
            zero=False,
        )
        for i, m in enumerate(measured)
    ]
    bias = Judged(Coordinates("bias", "start"), UNKNOWN, Exponent(NOTHING, NOTHING), zero=True)
    return CoordinateCheck([*coordinates, bias])


def rows(table: str) -> list[dict[str, str]]:
    return list(csv.DictReader(table.splitlines()))


def test_a_line_names_the_farthest_coordinate_and_the_one_that_grows() -> None:
    text = line(NAMED, made(0.45, 0.3))
    assert "as predicted" in text
    assert "unstable  layer1 own +0.30 ± 0.10, predicted +0.5; grows: layer0 own +0.45" in text
    assert "FAILS" in line(NAMED, made(0.45, -0.2))


def test_the_summary_has_a_row_with_both_verdicts_and_the_coordinate_behind_each() -> None:
    [row] = rows(summary([(NAMED, made(0.45, 0.3))]))
    assert (row["model"], row["coordinates"]) == ("gpt", "3")
    assert (row["as_predicted"], row["worst"], row["exponent"]) == ("True", "layer1 own", "0.300")
    assert (row["stable"], row["fastest"], row["fastest_low"]) == ("False", "layer0 own", "0.350")


def test_the_full_table_has_a_row_for_every_coordinate() -> None:
    first, bias = rows(every_coordinate([(NAMED, made(0.45))]))
    assert (first["module"], bias["module"]) == ("layer0", "bias")
    assert first["exponent"] == "0.450"
    assert first["predicted_low"] == first["predicted_high"] == "0.500"
    assert (first["as_predicted"], first["stable"]) == ("True", "False")
    assert bias["exponent"] == bias["predicted_low"] == ""


def fails(wanted: Any, specs: Any) -> Any:
    return iter([(NAMED, made(-0.5))])


def test_a_failed_combination_is_an_error_and_its_file_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coordinate_matrix, "check_all", fails)
    with pytest.raises(FailedCheckError, match="gpt × mup × sgd"):
        run(["gpt"], ["mup"], ["sgd"], builtin(), out=tmp_path / "check.csv")
    assert "layer0" in (tmp_path / "check.csv").read_text(encoding="utf-8")


def test_the_command_prints_and_writes_both_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, coordinates = tmp_path / "check.csv", tmp_path / "coordinates.csv"
    asked = ["--model", "two_layer_linear", "--parameterization", "mup", "sp", "--optimizer", "sgd"]
    files = ["--out", str(out), "--coordinates", str(coordinates)]
    assert cli.main(["coordcheck", *asked, *files]) == 0
    printed = capsys.readouterr().out
    assert "2 of 2 combinations are as predicted" in printed
    assert "unstable" in printed
    assert len(rows(out.read_text(encoding="utf-8"))) == 2
    assert len(rows(coordinates.read_text(encoding="utf-8"))) == 2 * 6


def test_the_committed_table_is_of_every_combination_and_holds_what_a_check_finds_today() -> None:
    committed = rows((REPOSITORY / "results/coordinate_check.csv").read_text(encoding="utf-8"))
    every = combinations([], [], [], builtin())
    named = [Combination(r["model"], r["parameterization"], r["optimizer"]) for r in committed]
    assert named == every
    one = Combination("two_layer_linear", "sp", "adamw")
    [today] = rows(summary([(one, check(one, builtin()))]))
    stored = committed[named.index(one)]
    for name, value in today.items():
        if name.removeprefix("fastest_") in ("exponent", "low", "high"):
            assert float(value) == pytest.approx(float(stored[name]), abs=0.002)
        else:
            assert value == stored[name]


def test_the_command_fails_where_a_combination_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(coordinate_matrix, "check_all", fails)
    assert cli.main(["coordcheck", "--model", "gpt", "--parameterization", "mup"]) == 1
    assert "not as predicted: gpt × mup × sgd" in capsys.readouterr().err


def test_an_own_parameterization_comes_from_params_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = (REPOSITORY / "params.yaml").read_text(encoding="utf-8")
    family = "{input: {}, output: {init: {fan_in: -0.5}}}"
    entry = f"  mine: {{description: d, source: s, families: {{sgd: {family}}}}}\n"
    if "\nparameterizations: {}" in own:
        own = own.replace("\nparameterizations: {}", f"\nparameterizations:\n{entry}")
    else:
        own += f"\nparameterizations:\n{entry}"
    (tmp_path / "params.yaml").write_text(own, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert (
        cli.main(["coordcheck", "--model", "two_layer_linear", "--parameterization", "mine"]) == 0
    )
