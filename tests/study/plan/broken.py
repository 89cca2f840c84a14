"""Faults that a params.yaml can have: what to change, and what the one line has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.tiny import EXPERIMENT, real_params

REMOVED = object()
PREFIXES = {"E": f"study/{EXPERIMENT}", "G": f"study/{EXPERIMENT}/scales/smoke"}
OWN = {"description": "mine", "source": "me"}
_GRID = real_params()["study"][EXPERIMENT]["scales"]["smoke"]
RULES = {"input": {}, "hidden": {}, "output": {}, "branch": {}}


@dataclass(frozen=True)
class Fault:
    """One fault of params.yaml.

    Attributes:
        name: What is wrong.
        changes: Path in the file (``E`` is the experiment, ``G`` its smoke grid) -> new value.
        field: The field that the message has to name, with dots.
        remedy: What the message has to propose.
    """

    name: str
    changes: dict[str, Any]
    field: str
    remedy: str

    def content(self) -> dict[str, Any]:
        """Return params.yaml with this fault."""
        content = real_params() | {"scale": "smoke"}
        for path, value in self.changes.items():
            *sections, last = expanded(path).split("/")
            place: Any = content
            for section in sections:
                place = place[section]
            if value is REMOVED:
                del place[last]
            else:
                place[last] = value
        return content

    @property
    def line(self) -> str:
        """The start of the message: the field's path."""
        return expanded(self.field).replace("/", ".")


def expanded(path: str) -> str:
    """Return ``path`` with its prefix written out."""
    first, slash, rest = path.partition("/")
    return PREFIXES.get(first, first) + slash + rest


def _twin() -> dict[str, Any]:
    rates = {
        f"study/{EXPERIMENT}/scales/{scale}/learning_rates/twin": [1.0]
        for scale in ("smoke", "laptop", "paper")
    }
    twin = {"label": "again", "parameterization": "mup", "reference_learning_rate": 1.0}
    return {"E/arms/twin": twin, **rates}


def _own(family: str, rules: dict[str, Any]) -> dict[str, Any]:
    return {"parameterizations": {"mine": {**OWN, "families": {family: rules}}}}


def _decay(rule: dict[str, Any]) -> dict[str, Any]:
    return {
        "E/optimizer": {"name": "adamw", "options": {"weight_decay": 0.1}},
        "E/arms/mup/decay": rule,
    }


# One fault a line, whatever its length.
# ruff: noqa: E501
# fmt: off
FAULTS = [
    Fault("typo at the top", {"figurs": {}}, "figurs", "Did you mean 'figures'?"),
    Fault("typo of a required field", {"scal": "smoke", "scale": REMOVED}, "scal", "Did you mean 'scale'?"),
    Fault("typo in an experiment", {"E/los": "x", "E/loss": REMOVED}, "E/los", "Did you mean 'loss'?"),
    Fault("typo in a grid", {"G/stepz": 24, "G/steps": REMOVED}, "G/stepz", "Did you mean 'steps'?"),
    Fault("typo in spectra", {"G/spectra/density/probs": 2}, "G/spectra/density/probs", "Did you mean 'probes'?"),
    Fault("typo in an arm", {"E/arms/mup/lable": "x"}, "E/arms/mup/lable", "Did you mean 'label'?"),
    Fault("typo in resources", {"resources/train/mem": 1}, "resources/train/mem", "Did you mean 'mem_mb'?"),
    Fault("typo in an axis", {"G/learning_rates/mup": {"log2_from": 0, "log2_too": 2, "log2_step": 1}}, "G/learning_rates/mup.log2_too", "Did you mean 'log2_to'?"),
    Fault("typo in constants", {"E/arms/mup/constants": {"gama0": 1.0}}, "E/arms/mup/constants/gama0", "Did you mean 'gamma0'?"),
    Fault("typo in an exponent", _own("sgd", {**RULES, "input": {"init": {"fan": 1.0}}}), "parameterizations.mine.families.sgd.input.init.fan", "Did you mean 'fan_in'?"),
    Fault("steps of an unknown arm", {"G/steps": {"mup": 4, "ntp": 4, "spp": 4}}, "G/steps/spp", "Did you mean 'sp'?"),
    Fault("steps that lack an arm", {"G/steps": {"mup": 24, "ntp": 24}}, "G/steps/sp", "Add the number of this arm."),
    Fault("unknown option of an arm", {"E/arms/mup/model_options": {"skp": 1.0}}, "E/arms/mup/model_options/skp", "Did you mean 'skip'?"),
    Fault("unknown optimizer of an arm", {"E/arms/mup/optimizer": {"name": "adm"}}, "E/arms/mup/optimizer/name", "Did you mean 'adam'?"),
    Fault("unknown schedule of an arm", {"E/arms/mup/schedule": {"name": "linar"}}, "E/arms/mup/schedule/name", "Did you mean 'linear'?"),
    Fault("unknown family at a scale", {"G/model": {"family": "convnt"}}, "G/model/family", "Did you mean 'convnet'?"),
    Fault("unknown augmentation", {"G/augmentation": "crop_flp"}, "G/augmentation", "Did you mean 'crop_flip'?"),
    Fault("nothing to measure at", {"E/scales": {"smoke": _GRID}} | {f"E/arms/{arm}/reference_learning_rate": None for arm in ("mup", "ntp", "sp")}, "G/measure", "Add one to an arm or remove `measure`."),
    Fault("spectra without measurements", {"G/measure": None}, "G/spectra", "Add `measure` or remove it."),
    Fault("nothing like any field", {"G/zzz": 1}, "G/zzz", "Known: "),
    Fault("missing field", {"G/steps": REMOVED}, "G/steps", "Add this field."),
    Fault("unknown parameterization", {"E/arms/mup/parameterization": "mupp"}, "E/arms/mup/parameterization", "Did you mean 'mup'?"),
    Fault("unknown family", {"E/model/family": "residual_mpl"}, "E/model/family", "Did you mean 'residual_mlp'?"),
    Fault("unknown data set", {"E/dataset": "mnist5"}, "E/dataset", "Did you mean 'mnist5k'?"),
    Fault("unknown data set of a grid", {"G/dataset": "mnist5"}, "G/dataset", "Did you mean 'mnist5k'?"),
    Fault("unknown data source", {"data/mnist5k/source": "mnist"}, "data/mnist5k/source", "Did you mean 'mnist5k'?"),
    Fault("unknown optimizer", {"E/optimizer/name": "sdg"}, "E/optimizer/name", "Did you mean 'sgd'?"),
    Fault("unknown schedule", {"E/schedule/name": "constnt"}, "E/schedule/name", "Did you mean 'constant'?"),
    Fault("unknown loss", {"E/loss": "cross_entrop"}, "E/loss", "Did you mean 'cross_entropy'?"),
    Fault("unknown probe", {"G/measure/probes": ["sharpnes"]}, "G/measure/probes", "Did you mean 'sharpness'?"),
    Fault("unknown figure", {"E/figures": ["width_transfr"]}, "E/figures", "Did you mean 'width_transfer'?"),
    Fault("unknown scale", {"scale": "laptp"}, "scale", "Did you mean 'laptop'?"),
    Fault("unknown scale of an experiment", {"E/scales/laptp": _GRID}, "E/scales/laptp", "Did you mean 'laptop'?"),
    Fault("unknown precision", {"G/precision": "float16"}, "G/precision", "Did you mean 'float64'?"),
    Fault("unknown spacing", {"G/measure/spacing": "log"}, "G/measure/spacing", "Give geometric or linear."),
    Fault("unknown device", {"device": "gpu"}, "device", "Give auto, cpu, cuda"),
    Fault("unknown experiment", {"experiments": ["width_transfer_visio"]}, "experiments", f"Did you mean '{EXPERIMENT}'?"),
    Fault("unknown experiment as a word", {"experiments": "width_transfer_visio"}, "experiments", f"Did you mean '{EXPERIMENT}'?"),
    Fault("no experiments", {"experiments": []}, "experiments", "Give core, all or names from `study`."),
    Fault("experiments as a number", {"experiments": 5}, "experiments", "Give core or all or a list."),
    Fault("an experiment twice", {"experiments": [EXPERIMENT, EXPERIMENT]}, "experiments", "Keep each value once."),
    Fault("empty axis", {"G/widths": []}, "G/widths", "Give at least one entry."),
    Fault("axis without brackets", {"G/widths": 16}, "G/widths", "Give a list."),
    Fault("empty study", {"study": {}}, "study", "Give at least one entry."),
    Fault("study as a list", {"study": []}, "study", "Give a mapping."),
    Fault("no arms", {"E/arms": {}}, "E/arms", "Give at least one entry."),
    Fault("no scales", {"E/scales": {}}, "E/scales", "Add smoke, laptop or paper."),
    Fault("negative width", {"G/widths": [16, -1]}, "G/widths[1]", "Give a number greater than 0."),
    Fault("no steps", {"G/steps": 0}, "G/steps", "Give a number greater than 0."),
    Fault("rate as text", {"G/learning_rates/mup": [1.0, "1e-3"]}, "G/learning_rates/mup[1]", "an exponent needs a dot, as in 1.0e-3."),
    Fault("reference rate as text", {"E/arms/mup/reference_learning_rate": "1e-3"}, "E/arms/mup/reference_learning_rate", "an exponent needs a dot, as in 1.0e-3."),
    Fault("true as a number", {"G/steps": True}, "G/steps", "Give a whole number or a mapping."),
    Fault("true as a rate", {"E/arms/mup/reference_learning_rate": True}, "E/arms/mup/reference_learning_rate", "Give a number."),
    Fault("width with a point", {"G/widths": [16.0]}, "G/widths[0]", "Give a whole number."),
    Fault("null", {"G/batch_size": None}, "G/batch_size", "Give a whole number or a mapping."),
    Fault("NaN", {"E/arms/mup/reference_learning_rate": float("nan")}, "E/arms/mup/reference_learning_rate", "Give a finite number."),
    Fault("infinity", {"G/learning_rates/mup": [float("inf")]}, "G/learning_rates/mup[0]", "Give a finite number."),
    Fault("infinite option", {"E/optimizer/options/momentum": float("inf")}, "E/optimizer/options/momentum", "Give a finite number."),
    Fault("rate of zero", {"G/learning_rates/mup": [0.0]}, "G/learning_rates/mup[0]", "Give a number greater than 0"),
    Fault("confidence in percent", {"fits/confidence": 95}, "fits/confidence", "Give a number less than 1"),
    Fault("value twice in an axis", {"G/seeds": [0, 1, 0]}, "G/seeds", "Keep each value once."),
    Fault("probe twice", {"G/measure/probes": ["norms", "norms"]}, "G/measure/probes", "Keep each value once."),
    Fault("arm twice", _twin(), "E/arms/twin", "Remove one."),
    Fault("missing scale", {"E/scales/smoke": REMOVED}, "G", "Add this scale or choose another."),
    Fault("arm without rates", {"G/learning_rates/mup": REMOVED}, "G/learning_rates/mup", "Add the learning rates of this arm."),
    Fault("rates without an arm", {"G/learning_rates/zzz": [1.0]}, "G/learning_rates/zzz", "Known: mup, ntp, sp."),
    Fault("misspelt arm of rates", {"G/learning_rates/mupp": [1.0], "G/learning_rates/mup": REMOVED}, "G/learning_rates/mupp", "Did you mean 'mup'?"),
    Fault("reference rate not in the axis", {"G/learning_rates/mup": [0.3]}, "G/learning_rates/mup", "Add it, or take one of the axis."),
    Fault("axis upside down", {"G/learning_rates/mup": {"log2_from": 2, "log2_to": -2, "log2_step": 1}}, "G/learning_rates/mup", "Swap them."),
    Fault("step of zero", {"G/learning_rates/mup": {"log2_from": -2, "log2_to": 2, "log2_step": 0}}, "G/learning_rates/mup.log2_step", "Give a number of at least 0.01."),
    Fault("rates beyond float", {"G/learning_rates/mup": {"log2_from": 0, "log2_to": 5000, "log2_step": 1}}, "G/learning_rates/mup.log2_to", "Give a number of at most 64"),
    Fault("loss window past the run", {"G/loss_window": 25}, "G/loss_window", "Shorten it."),
    Fault("spectrum past the run", {"G/spectra/steps": [25]}, "G/spectra/steps", "Remove it."),
    Fault("spectrum of an unknown seed", {"G/spectra/seeds": [7]}, "G/spectra/seeds", "Remove or add it."),
    Fault("unknown option", {"E/model/options/skp": 1.0}, "E/model/options/skp", "Did you mean 'skip'?"),
    Fault("option of a wrong type", {"E/model/options/skip": "one"}, "E/model/options/skip", "Give a number."),
    Fault("option as a list", {"E/model/options/skip": [1]}, "E/model/options/skip", "Give a whole number or a number or"),
    Fault("whole-number option with a point", {"E/model/options/layers_per_branch": 1.5}, "E/model/options/layers_per_branch", "Give a whole number of at least 0."),
    Fault("negative warm-up", {"E/schedule/options": {"warmup_steps": -3}}, "E/schedule/options/warmup_steps", "Give a whole number of at least 0."),
    Fault("option among words", {"E/model/options/activation": "rel"}, "E/model/options/activation", "Give one of relu, tanh"),
    Fault("option of the grid", {"E/model/options/width": 8}, "E/model/options/width", "Remove it here."),
    Fault("malformed checksum", {"data/mnist5k/sha256": "abc"}, "data/mnist5k/sha256", "Give the 64 hexadecimal digits"),
    Fault("capitals in a name", {"E/arms/MuP": {"label": "M", "parameterization": "mup", "reference_learning_rate": 1.0}}, "E/arms/MuP", "Give a name of lower-case letters"),
    Fault("runs per job as a word", {"resources/runs_per_job": "swep"}, "resources/runs_per_job", "Did you mean 'sweep'?"),
    Fault("no runs per job", {"resources/runs_per_job": 0}, "resources/runs_per_job", "Give a number greater than 0."),
    Fault("a built-in redefined", {"parameterizations": {"mup": {**OWN, "families": {"sgd": RULES}}}}, "parameterizations.mup", "Choose another."),
    Fault("parameterization without the family", {**_own("adam", RULES), "E/arms/mup/parameterization": "mine"}, "E/arms/mup/parameterization", "Add families.sgd to it."),
    Fault("decay without AdamW", {"E/arms/mup/decay": {"rule": "none"}}, "E/arms/mup/decay", "Choose adamw."),
    Fault("decay of nothing", _decay({"rule": "standard"}) | {"E/optimizer": {"name": "adamw"}}, "E/arms/mup/decay", "Set optimizer.options.weight_decay"),
    Fault("unknown decay rule", {"E/decay": {"rule": "independant"}}, "E/decay/rule", "Did you mean 'independent'?"),
    Fault("power without a number", _decay({"rule": "power"}), "E/arms/mup/decay/power", "Give a number, 0.5 for example."),
    Fault("power of another rule", _decay({"rule": "standard", "power": 0.5}), "E/arms/mup/decay/power", "Remove it."),
    Fault("unknown role", _decay({"rule": "standard", "unscaled": ["hiden"]}), "E/arms/mup/decay/unscaled", "Did you mean 'hidden'?"),
    Fault("unscaled and faster", _decay({"rule": "standard", "unscaled": ["hidden"], "faster": ["hidden"]}), "E/arms/mup/decay/faster", "Choose one."),
    Fault("warm-up of nothing", _decay({"rule": "standard"}) | {"E/arms/mup/group_warmup": {"name": "exponential", "fraction": 0.5}}, "E/arms/mup/group_warmup", "or remove it."),
    Fault("warm-up longer than the run", {"E/arms/mup/group_warmup": {"name": "exponential", "fraction": 1.5}}, "E/arms/mup/group_warmup/fraction", "Give a number of at most 1"),
    Fault("unknown tuner", {"E/arms/mup/tuner": {"name": "cdta"}}, "E/arms/mup/tuner/name", "Did you mean 'cdat'?"),
    Fault("unknown tuner of all arms", {"E/tuner": {"name": "greedi"}}, "E/tuner/name", "Did you mean 'greedy'?"),
    Fault("unknown option of a tuner", {"E/arms/mup/tuner": {"name": "cdat", "options": {"sigm": 2.0}}}, "E/arms/mup/tuner/options/sigm", "Did you mean 'sigma'?"),
    Fault("tuner's option of a wrong type", {"E/arms/mup/tuner": {"name": "cdat", "options": {"sigma": "two"}}}, "E/arms/mup/tuner/options/sigma", "Give a number."),
    Fault("spectra of a part of the data", {"G/train_samples": 100}, "G/spectra", "Remove train_samples."),
    Fault("train samples that lack an arm", {"G/train_samples": {"mup": 100, "ntp": 100}, "G/spectra": None}, "G/train_samples/sp", "Add the number of this arm."),
    Fault("weight decay that lacks an arm", {"G/weight_decay": {"mup": 0.1, "ntp": 0.1}}, "G/weight_decay/sp", "Add the number of this arm."),
    Fault("reference rate of a grid not in the axis", {"G/reference_learning_rate": {"mup": 0.3, "ntp": 16.0, "sp": 0.0625}}, "G/learning_rates/mup", "Add it, or take one of the axis."),
    Fault("unknown optimizer family", _own("sdg", RULES), "parameterizations.mine.families.sdg", "Did you mean 'sgd'?"),
]
# fmt: on
