"""Faults that a params.yaml can have: what to change, and what the one line has to say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.tiny import EXPERIMENT, real_params

REMOVED = object()
PREFIXES = {
    "D": "defaults",
    "E": f"study/{EXPERIMENT}",
    "P": f"study/{EXPERIMENT}/scales/paper",
    "M": "study/mine",
}
OWN = {"description": "mine", "source": "me"}
RULES: dict[str, Any] = {"input": {}, "hidden": {}, "output": {}, "branch": {}}
ALONE = {
    "question": "Why?",
    "parameterization": "sp",
    "measured_at": "2^-4",
    "arms": {"sgd": "2^-7 .. 2^-1", "adam": {"lr": "2^-4", "optimizer": "adam"}},
}


@dataclass(frozen=True)
class Fault:
    """One fault of params.yaml.

    Attributes:
        name: What is wrong.
        changes: Path in the file (`E` is the experiment, `P` its paper scale) -> new value.
        field: The field that the message has to name, with dots.
        remedy: What the message has to propose.
    """

    name: str
    changes: dict[str, Any]
    field: str
    remedy: str

    def content(self) -> dict[str, Any]:
        """Return params.yaml, with its first experiment alone, with this fault."""
        content = real_params()
        content["study"] = {EXPERIMENT: content["study"][EXPERIMENT]}
        # A fault of all scales would be told of it, too.
        content["study"][EXPERIMENT]["scales"].pop("gpu")
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
    """Return `path` with its prefix written out."""
    first, slash, rest = path.partition("/")
    return PREFIXES.get(first, first) + slash + rest


def _own(family: str, rules: dict[str, Any]) -> dict[str, Any]:
    return {"parameterizations": {"mine": {**OWN, "families": {family: rules}}}}


def _decay(rule: dict[str, Any]) -> dict[str, Any]:
    return {"E/optimizer": {"adamw": {"weight_decay": 0.1}}, "E/arms/mup/decay": rule}


def _mine(**changes: Any) -> dict[str, Any]:
    """Add an experiment of one's own, the one alone with what is changed in it."""
    return {"study/mine": ALONE | changes}


def _one_net(**changes: Any) -> dict[str, Any]:
    """The same at one width, and at the laptop's scale alone."""
    return _mine(widths=[32], **changes) | {"D/scales/smoke": REMOVED}


# One fault a line, whatever its length.
# ruff: noqa: E501
# fmt: off
FAULTS = [
    Fault("typo at the top", {"figurs": {}}, "figurs", "Did you mean 'figures'?"),
    Fault("typo of a required field", {"scal": "smoke", "scale": REMOVED}, "scal", "Did you mean 'scale'?"),
    Fault("typo in an experiment", {"E/los": "x", "D/loss": REMOVED}, "E/los", "Did you mean 'loss'?"),
    Fault("typo in a grid", {"E/stepz": 24}, "E/stepz", "Did you mean 'steps'?"),
    Fault("typo in spectra", {"E/spectra/density/probs": 2}, "E/spectra/density/probs", "Did you mean 'probes'?"),
    Fault("typo in an arm", {"E/arms/mup/lable": "x"}, "E/arms/mup/lable", "Did you mean 'label'?"),
    Fault("typo in resources", {"resources/train/mem": 1}, "resources/train/mem", "Did you mean 'mem_mb'?"),
    Fault("typo in a scale", {"P/stepz": 24}, "P/stepz", "Did you mean 'steps'?"),
    Fault("typo in constants", {"E/arms/mup/constants": {"gama0": 1.0}}, "E/arms/mup/constants/gama0", "Did you mean 'gamma0'?"),
    Fault("typo in an exponent", _own("sgd", {**RULES, "input": {"init": {"fan": 1.0}}}), "parameterizations.mine.families.sgd.input.init.fan", "Did you mean 'fan_in'?"),
    Fault("steps of an unknown arm", {"P/arms/spp": {"steps": 4}}, "P/arms/spp", "Did you mean 'sp'?"),
    Fault("steps that lack an arm", {"D/steps": REMOVED, "E/scales/paper": REMOVED, "E/arms/mup/steps": 24, "E/arms/ntp/steps": 24}, "E/arms/sp/steps", "Add the number of this arm."),
    Fault("unknown option of an arm", {"E/arms/mup/model_options": {"skp": 1.0}}, "E/arms/mup/model_options/skp", "Did you mean 'skip'?"),
    Fault("unknown optimizer of an arm", {"E/arms/mup/optimizer": "adm"}, "E/arms/mup/optimizer", "Did you mean 'adam'?"),
    Fault("unknown schedule of an arm", {"E/arms/mup/schedule": "linar"}, "E/arms/mup/schedule", "Did you mean 'linear'?"),
    Fault("unknown family at a scale", {"P/model": "convnt"}, "P/model", "Did you mean 'convnet'?"),
    Fault("unknown augmentation", {"E/augmentation": "crop_flp"}, "E/augmentation", "Did you mean 'crop_flip'?"),
    Fault("nothing to measure at", {f"E/arms/{arm}/measured_at": REMOVED for arm in ("mup", "ntp", "sp")}, "E/measure", "Give an arm `measured_at`"),
    Fault("spectra without measurements", {"E/measure": None, "P/measure": REMOVED}, "E/spectra", "Add `measure` or remove it."),
    Fault("nothing like any field", {"E/zzz": 1}, "E/zzz", "Known: "),
    Fault("missing field", {"D/steps": REMOVED}, "E/steps", "Add this field."),
    Fault("unknown parameterization", {"E/arms/mup/parameterization": "mupp"}, "E/arms/mup/parameterization", "Did you mean 'mup'?"),
    Fault("unknown family", {"E/model": "residual_mpl"}, "E/model", "Did you mean 'residual_mlp'?"),
    Fault("unknown data set", {"E/dataset": "mnist5"}, "E/dataset", "Did you mean 'mnist5k'?"),
    Fault("unknown data set of a scale", {"P/dataset": "mnist5"}, "P/dataset", "Did you mean 'mnist5k'?"),
    Fault("unknown data source", {"data/mnist5k/source": "mnist"}, "data/mnist5k/source", "Did you mean 'mnist5k'?"),
    Fault("unknown optimizer", {"E/optimizer": "sdg"}, "E/optimizer", "Did you mean 'sgd'?"),
    Fault("unknown schedule", {"E/schedule": "constnt"}, "E/schedule", "Did you mean 'constant'?"),
    Fault("unknown loss", {"E/loss": "cross_entrop"}, "E/loss", "Did you mean 'cross_entropy'?"),
    Fault("unknown probe", {"E/measure/probes": ["sharpnes"]}, "E/measure/probes", "Did you mean 'sharpness'?"),
    Fault("unknown figure", {"E/figures": ["width_transfr"]}, "E/figures", "Did you mean 'width_transfer'?"),
    Fault("unknown scale", {"scale": "laptp"}, "scale", "Did you mean 'laptop'?"),
    Fault("unknown scale of an experiment", {"E/scales/papr": {}}, "E/scales/papr", "Did you mean 'paper'?"),
    Fault("unknown precision", {"E/precision": "float16"}, "E/precision", "Did you mean 'bfloat16'?"),
    Fault("unknown spacing", {"E/measure/spacing": "log"}, "E/measure/spacing", "Give geometric or linear."),
    Fault("unknown device", {"device": "gpu"}, "device", "Give auto, cpu, cuda"),
    Fault("unknown experiment", {"experiments": ["width_transfer_visio"]}, "experiments", f"Did you mean '{EXPERIMENT}'?"),
    Fault("unknown experiment as a word", {"experiments": "width_transfer_visio"}, "experiments", f"Did you mean '{EXPERIMENT}'?"),
    Fault("no experiments", {"experiments": []}, "experiments", "Give core, all or names from `study`."),
    Fault("experiments as a number", {"experiments": 5}, "experiments", "Give core or all or a list."),
    Fault("an experiment twice", {"experiments": [EXPERIMENT, EXPERIMENT]}, "experiments", "Keep each value once."),
    Fault("empty axis", {"E/widths": []}, "E/widths", "Give at least one entry."),
    Fault("axis without brackets", {"E/widths": 16}, "E/widths", "Give a list, as in ["),
    Fault("empty study", {"study": {}}, "study", "Give at least one entry."),
    Fault("study as a list", {"study": []}, "study", "Give a mapping, as in {name: value}."),
    Fault("no arms", {"E/arms": {}, "P/arms": REMOVED}, "E/arms", "Give at least one entry."),
    Fault("the laptop as a scale", {"E/scales/laptop": {}}, "E/scales/laptop", "Write these fields there."),
    Fault("negative width", {"E/widths": [16, -1]}, "E/widths[1]", "Give a number greater than 0."),
    Fault("no steps", {"E/steps": 0}, "E/steps", "Give a number greater than 0."),
    Fault("rate as text", {"E/arms/mup/lr": [1.0, "1e-3"]}, "E/arms/mup/lr[1]", "an exponent needs a dot, as in 1.0e-3."),
    Fault("reference rate as text", {"E/arms/mup/measured_at": "1e-3"}, "E/arms/mup/measured_at", "an exponent needs a dot, as in 1.0e-3."),
    Fault("true as a number", {"E/steps": True}, "E/steps", "Give a whole number."),
    Fault("true as a rate", {"E/arms/mup/measured_at": True}, "E/arms/mup/measured_at", "Give a number."),
    Fault("width with a point", {"E/widths": [16.0]}, "E/widths[0]", "Give a whole number."),
    Fault("null", {"E/batch_size": None}, "E/batch_size", "Give a whole number."),
    Fault("NaN", {"E/arms/mup/measured_at": float("nan")}, "E/arms/mup/measured_at", "Give a finite number."),
    Fault("infinity", {"E/arms/mup/lr": [float("inf")]}, "E/arms/mup/lr[0]", "Give a finite number."),
    Fault("infinite option", {"E/optimizer": {"sgd": {"momentum": float("inf")}}}, "E/optimizer/sgd/momentum", "Give a finite number."),
    Fault("rate of zero", {"E/arms/mup/lr": [0.0]}, "E/arms/mup/lr[0]", "Give a number greater than 0"),
    Fault("confidence in percent", {"fits/confidence": 95}, "fits/confidence", "Give a number less than 1"),
    Fault("value twice in an axis", {"E/seeds": [0, 1, 0]}, "E/seeds", "Keep each value once."),
    Fault("probe twice", {"E/measure/probes": ["norms", "norms"]}, "E/measure/probes", "Keep each value once."),
    Fault("arm twice", {"E/arms/twin": {"like": "mup"}}, "E/arms/twin", "Remove one."),
    Fault("missing scale", {"E/scales/paper": REMOVED, "scale": "paper", "experiments": [EXPERIMENT]}, "P", "Add this scale or choose another."),
    Fault("arm without rates", {"E/arms/mup/lr": REMOVED}, "E/arms/mup/lr", "Add the learning rates of this arm."),
    Fault("rates without an arm", {"P/arms/zzz": [1.0]}, "P/arms/zzz", "Known: mup, ntp, sp."),
    Fault("misspelt arm of rates", {"P/arms/mupp": [1.0]}, "P/arms/mupp", "Did you mean 'mup'?"),
    Fault("reference rate not in the axis", {"E/arms/mup/lr": [0.3]}, "E/arms/mup/lr", "Add it, or take one of the axis."),
    Fault("axis upside down", {"E/arms/mup/lr": "2^2 .. 2^-2"}, "E/arms/mup/lr", "Swap them."),
    Fault("step of zero", {"E/arms/mup/lr": "2^-2 .. 2^2 by 0"}, "E/arms/mup/lr", "Give at least 1/100."),
    Fault("rates beyond float", {"E/arms/mup/lr": "2^0 .. 2^5000"}, "E/arms/mup/lr", "Give an exponent from -64 to 64."),
    Fault("loss window past the run", {"E/loss_window": 257}, "E/loss_window", "Shorten it."),
    Fault("spectrum past the run", {"E/spectra/steps": [257]}, "E/spectra/steps", "Remove it."),
    Fault("spectrum of an unknown seed", {"E/spectra/seeds": [3, 8]}, "E/spectra/seeds", "Remove or add it."),
    Fault("unknown option", {"D/model/residual_mlp/skp": 1.0}, "D/model/residual_mlp/skp", "Did you mean 'skip'?"),
    Fault("option of a wrong type", {"D/model/residual_mlp/skip": "one"}, "D/model/residual_mlp/skip", "Give a number."),
    Fault("option as a list", {"D/model/residual_mlp/skip": [1]}, "D/model/residual_mlp/skip", "Give a whole number or a number or"),
    Fault("whole-number option with a point", {"D/model/residual_mlp/layers_per_branch": 1.5}, "D/model/residual_mlp/layers_per_branch", "Give a whole number of at least 0."),
    Fault("negative warm-up", {"E/schedule": {"constant": {"warmup_steps": -3}}}, "E/schedule/constant/warmup_steps", "Give a whole number of at least 0."),
    Fault("option among words", {"D/model/residual_mlp/activation": "rel"}, "D/model/residual_mlp/activation", "Give one of relu, tanh"),
    Fault("option of the grid", {"D/model/residual_mlp/width": 8}, "D/model/residual_mlp/width", "Remove it here."),
    Fault("malformed checksum", {"data/mnist5k/sha256": "abc"}, "data/mnist5k/sha256", "Give the 64 hexadecimal digits"),
    Fault("capitals in a name", {"E/arms/MuP": {"label": "M", "parameterization": "mup", "measured_at": 1.0}}, "E/arms/MuP", "Give a name of lower-case letters"),
    Fault("runs per job as a word", {"resources/runs_per_job": "swep"}, "resources/runs_per_job", "Did you mean 'sweep'?"),
    Fault("no runs per job", {"resources/runs_per_job": 0}, "resources/runs_per_job", "Give a number greater than 0."),
    Fault("a built-in redefined", {"parameterizations": {"mup": {**OWN, "families": {"sgd": RULES}}}}, "parameterizations.mup", "Choose another."),
    Fault("parameterization without the family", {**_own("adam", RULES), "E/arms/mup/parameterization": "mine"}, "E/arms/mup/parameterization", "Add families.sgd to it."),
    Fault("decay without AdamW", {"E/arms/mup/decay": {"rule": "none"}}, "E/arms/mup/decay", "Choose adamw."),
    Fault("decay of nothing", _decay({"rule": "standard"}) | {"E/optimizer": "adamw"}, "E/arms/mup/decay", "Set weight_decay"),
    Fault("unknown decay rule", {"E/decay": {"rule": "independant"}}, "E/decay/rule", "Did you mean 'independent'?"),
    Fault("power without a number", _decay({"rule": "power"}), "E/arms/mup/decay/power", "Give a number, 0.5 for example."),
    Fault("power of another rule", _decay({"rule": "standard", "power": 0.5}), "E/arms/mup/decay/power", "Remove it."),
    Fault("unknown role", _decay({"rule": "standard", "unscaled": ["hiden"]}), "E/arms/mup/decay/unscaled", "Did you mean 'hidden'?"),
    Fault("unscaled and faster", _decay({"rule": "standard", "unscaled": ["hidden"], "faster": ["hidden"]}), "E/arms/mup/decay/faster", "Choose one."),
    Fault("warm-up of nothing", _decay({"rule": "standard"}) | {"E/arms/mup/group_warmup": {"name": "exponential", "fraction": 0.5}}, "E/arms/mup/group_warmup", "or remove it."),
    Fault("rule of the width twice", {"parameterizations": {"mine": {**OWN, "families": {"muon": RULES | {"hidden": {"learning_rate": {"width": -1}}}}}}, "E/arms/mup/parameterization": "mine", "E/arms/mup/optimizer": "muon"}, "E/arms/mup/parameterization", "Leave it out of the family muon."),
    Fault("horizon without a source", {"E/arms/mup/horizon": {"rule": "sde", "batch_size": 4, "steps": 8}}, "E/arms/mup/horizon/rule", "Choose one of adam, adamw"),
    Fault("horizon of another word", {"E/arms/mup/horizon": {"rule": "sdee", "batch_size": 4, "steps": 8}}, "E/arms/mup/horizon/rule", "Did you mean 'sde'?"),
    Fault("two axes of a run's length", _one_net(batches=[32, 64], durations=[8192]), "M/batches", "Give each an experiment."),
    Fault("batches and widths", _mine(batches=[32, 64]) | {"D/scales/smoke": REMOVED}, "M/batches", "Give one of widths."),
    Fault("durations and spectra", {"P": REMOVED, "D/scales/smoke": REMOVED, "E/widths": [32], "E/durations": [8192, 16384]}, "E/durations", "Remove spectra."),
    Fault("no whole number of batches", _one_net(batches=[32, 60]), "M/batches", "Change one."),
    Fault("duration of no whole batches", _one_net(durations=[8192, 100]), "M/durations", "Change one."),
    Fault("warm-up longer than the run", {"E/arms/mup/group_warmup": {"name": "exponential", "fraction": 1.5}}, "E/arms/mup/group_warmup/fraction", "Give a number of at most 1"),
    Fault("unknown tuner", {"E/arms/mup/tuner": "cdta"}, "E/arms/mup/tuner", "Did you mean 'cdat'?"),
    Fault("unknown optimizer of a replay", {"E/arms/mup/replay": "sdg"}, "E/arms/mup/replay", "Did you mean 'sgd'?"),
    Fault("replay of another family", {"E/arms/mup/replay": "adam"}, "E/arms/mup/replay", "Choose one of the same."),
    Fault("replay under a tuner", {"E/arms/mup/replay": "sgd", "E/arms/mup/tuner": "greedy"}, "E/arms/mup/replay", "Remove one of the two."),
    Fault("unknown tuner of all arms", {"E/tuner": "greedi"}, "E/tuner", "Did you mean 'greedy'?"),
    Fault("unknown option of a tuner", {"E/arms/mup/tuner": {"cdat": {"sigm": 2.0}}}, "E/arms/mup/tuner/cdat/sigm", "Did you mean 'sigma'?"),
    Fault("tuner's option of a wrong type", {"E/arms/mup/tuner": {"cdat": {"sigma": "two"}}}, "E/arms/mup/tuner/cdat/sigma", "Give a number."),
    Fault("a tuner in bfloat16", {"E/arms/mup/tuner": "cdat", "E/precision": "bfloat16"}, "E/precision", "has a tuner, which looks ahead"),
    Fault("a tuner, batched", {"E/arms/mup/tuner": "cdat", "E/batched": 8}, "E/batched", "has a tuner, which looks ahead"),
    Fault("an optimizer of matrices, batched", {"E/optimizer": "steepest", "E/batched": 8}, "E/batched", "does not say ELEMENTWISE"),
    Fault("batches in pieces of runs at once", {"E/micro_batch": 4, "E/batched": 8}, "E/batched", "Remove it or micro_batch"),
    Fault("data of its own for each seed, batched", {"E/train_samples": 100, "E/batched": 8, "E/spectra": REMOVED, "P/spectra": REMOVED}, "E/batched", "train_samples gives every seed"),
    Fault("a replay, batched", {"E/arms/mup/replay": "sgd", "E/batched": 8}, "E/batched", "has replay, which follows one run"),
    Fault("a tuner in micro-batches", {"E/tuner": "greedy", "E/micro_batch": 4}, "E/micro_batch", "Remove it."),
    Fault("spectra of a part of the data", {"E/train_samples": 100}, "E/spectra", "Remove train_samples."),
    Fault("train samples that lack an arm", {"E/spectra": REMOVED, "P/spectra": REMOVED, "E/arms/mup/train_samples": 100, "E/arms/ntp/train_samples": 100}, "E/arms/sp/train_samples", "Add the number of this arm."),
    Fault("measured rate of a scale not in the axis", {"P/arms/mup": {"lr": "2^0 .. 2^1", "measured_at": 0.3}}, "P/arms/mup/lr", "Add it, or take one of the axis."),
    Fault("unknown optimizer family", _own("sdg", RULES), "parameterizations.mine.families.sdg", "Did you mean 'sgd'?"),
    Fault("a circle of like", _mine(like="yours") | {"study/yours": ALONE | {"like": "mine"}}, "study/yours/like", "Let one of them stand alone."),
    Fault("like itself", _mine(like="mine"), "study/mine/like", "Let one of them stand alone."),
    Fault("an unknown parent", _mine(like="width_transfer_visio", only=["sgd", "mup"]), "study/mine/like", f"Did you mean '{EXPERIMENT}'?"),
    Fault("a circle of arms", _mine(arms={"one": {"like": "two", "lr": "2^-4"}, "two": {"like": "one"}}), "study/mine/arms/two/like", "Let one of them stand alone."),
    Fault("an unknown arm to be like", {"E/arms/mup/like": "npt"}, "E/arms/mup/like", "Did you mean 'ntp'?"),
    Fault("an axis for an arm that the parent lacks", _mine(like=EXPERIMENT, arms={"mupp": "2^-1 .. 2^1"}), "study/mine/arms/mupp", "Did you mean 'mup'?"),
    Fault("an axis for an arm that only leaves out", _mine(like=EXPERIMENT, only=["sp"], arms={"mup": "2^-1 .. 2^1"}), "study/mine/arms/mup", "A new arm is a mapping."),
    Fault("a scale of an arm that only leaves out", _mine(like=EXPERIMENT, only=["sp"], arms={}, scales={"paper": {"arms": {"mup": "2^0"}}}), "study/mine/scales/paper/arms/mup", "Known: sp."),
    Fault("a field switched off that nobody gave", _mine(spectra=None), "study/mine/spectra", "Remove it."),
    Fault("an option switched off that nobody gave", _mine(optimizer={"sgd": {"momentum": None}}), "study/mine/optimizer/sgd/momentum", "Remove it."),
    Fault("a field of an arm switched off that nobody gave", {"E/arms/mup/decay": None}, "E/arms/mup/decay", "Remove it."),
    Fault("an unknown arm in only", _mine(like=EXPERIMENT, only=["mupp"], arms={}), "study/mine/only", "Did you mean 'mup'?"),
    Fault("only without like", _mine(only=["sgd"]), "study/mine/only", "Name an experiment in `like`."),
    Fault("only as a word", _mine(like=EXPERIMENT, only="mup"), "study/mine/only", "Give a list, as in ["),
    Fault("a step that misses the end", {"E/arms/mup/lr": "2^0 .. 2^1 by 0.4"}, "E/arms/mup/lr", "End at 2^0.8, or choose a step that divides 1."),
    Fault("an axis without dots", {"E/arms/mup/lr": "2^0 to 2^1"}, "E/arms/mup/lr", "Give 2^a .. 2^b"),
    Fault("a power of ten", {"E/arms/mup/lr": "10^-3 .. 10^0"}, "E/arms/mup/lr", "Give 2^a .. 2^b"),
    Fault("an arm given as its axis, misspelt", {"P/arms/mup": "2^-3 . 2^3"}, "P/arms/mup", "Give 2^a .. 2^b"),
    Fault("a loss window of more than the run", {"E/loss_window": "5/4"}, "E/loss_window", "a share such as 1/4."),
    Fault("two models", {"E/model": {"convnet": {}, "resnet": {}}}, "E/model", "Give it with its options"),
    Fault("an optimizer in the old form", {"E/optimizer": {"name": "sgd", "options": {}}}, "E/optimizer", "Give it with its options"),
    Fault("an optimizer at a scale", {"P/optimizer": "adam"}, "P/optimizer", "Known: "),
    Fault("a share of no whole", {"defaults/scales/smoke/steps": "2/3"}, "defaults/scales/smoke/steps", "Give a share such as 1/4."),
    Fault("a rule that keeps nothing", {"defaults/scales/smoke/rates": 0}, "defaults/scales/smoke/rates", "Give a number greater than 0."),
    Fault("a rule without a word", {"defaults/scales/smoke/seeds": REMOVED}, "defaults/scales/smoke/seeds", "Add this field."),
    Fault("a derived scale without spectra", {"E/spectra/seeds": [5]}, "E/spectra/seeds", "Add one of 3, 4"),
    Fault("constants in two places", {"E/arms/mup/constants": {"gamma0": 2.0}, "P/constants": {"base_width": 64}}, "P/constants", "Give them in one of the two places."),
    Fault("an experiment without a question", {"study/mine": {"like": EXPERIMENT}}, "study/mine/question", "Add this field."),
    Fault("an experiment without arms", _mine(arms={}), "study/mine/arms", "Give at least one entry."),
    Fault("an arm without a parameterization", {"study/mine": {"question": "Why?", "arms": {"one": {"lr": 0.5}}}}, "study/mine/arms/one/parameterization", "Add this field."),
    Fault("include as a word", {"include": "mine.yaml"}, "include", "Give a list, as in ["),
    Fault("an arm without a word", {"E/arms/mup": None}, "E/arms/mup", "Give a mapping, as in {name: value}."),
    Fault("on and off", {"E/one_pass": "on"}, "E/one_pass", "Give true or false."),
    Fault("a mapping where a list is meant", {"E/widths": {"from": 16}}, "E/widths", "Give a list."),
    Fault("a list where a mapping is meant", {"E/arms": ["mup", "sp"]}, "E/arms", "Give a mapping, as in {name: value}."),
    Fault("a list of experiments", {"study/mine": ["mup"]}, "study/mine", "Give a mapping, as in {name: value}."),
    Fault("probes without their field", {"E/measure": ["norms"]}, "E/measure", "Give a mapping, as in {name: value}."),
    Fault("scales as a list", {"E/scales": ["paper"]}, "E/scales", "Give a mapping, as in {name: value}."),
    Fault("models as a list", {"E/model": ["residual_mlp"]}, "E/model", "Give it with its options"),
    Fault("options as a list", {"E/optimizer": {"sgd": [0.9]}}, "E/optimizer/sgd", "Give a mapping, as in {name: value}."),
    Fault("an axis in the old form", {"E/arms/mup/lr": {"log2_from": -3, "log2_to": 3}}, "E/arms/mup/lr", "Give 2^a .. 2^b"),
    Fault("all axes in the old form", {"E/learning_rates": {"mup": [1.0]}}, "E/learning_rates", "Known: arms,"),
    Fault("an axis among rates", {"E/arms/mup/lr": ["2^0 .. 2^1"]}, "E/arms/mup/lr[0]", "Give 2^n or a number;"),
    Fault("an axis to be measured at", {"E/arms/mup/measured_at": "2^0 .. 2^1"}, "E/arms/mup/measured_at", "Give 2^n or a number;"),
    Fault("null for the defaults", {"defaults": None}, "defaults", "Give a mapping"),
    Fault("null for an experiment", {"study/mine": None}, "study/mine", "Give a mapping"),
    Fault("null for a rule", {"defaults/scales/smoke": None}, "defaults/scales/smoke", "Give a mapping"),
    Fault("null for a model", {"P/model": None}, "P/model", "Give it with its options"),
    Fault("null for an axis", {"E/arms/mup/lr": None}, "E/arms/mup/lr", "Give 2^a .. 2^b"),
    Fault("null for a parent", _mine(like=None), "study/mine/like", "Give text."),
    Fault("null for the arms of a parent", _mine(like=EXPERIMENT, only=None, arms={}), "study/mine/only", "Give a list."),
    Fault("null for probes", {"E/measure/probes": None}, "E/measure/probes", "Give a list."),
    Fault("only that picks nobody", _mine(like=EXPERIMENT, only=[], arms={}), "study/mine/arms", "Give at least one entry."),
    Fault("an arm without an axis", _mine(arms={"one": {"label": "x"}}), "study/mine/arms/one/lr", "Add the learning rates of this arm."),
    Fault("an optimizer of an arm at a scale", {"P/arms/mup": {"optimizer": "adam"}}, "P/arms/mup/optimizer", "Known: augmentation, batch_size, loss_window, lr,"),
    Fault("widths of an arm", {"E/arms/mup/widths": [16]}, "E/arms/mup/widths", "Known: augmentation, batch_size,"),
    Fault("arms of all experiments", {"D/arms": {"mup": {}}}, "D/arms", "Known: augmentation,"),
    Fault("a circle of three", _mine(like="b") | {"study/b": ALONE | {"like": "c"}, "study/c": ALONE | {"like": "mine"}}, "study/c/like", "Let one of them stand alone."),
    Fault("an experiment named like a selection", {"study/all": ALONE}, "study/all", "Choose another name."),
    Fault("a data set named like a rule", {"data/all": {"source": "kjv", "sha256": "0" * 64}}, "data/all", "Choose another name."),
    Fault("a label that legends leave out", {"E/arms/mup/label": "_mup"}, "E/arms/mup/label", "Give a text that does not begin with an underscore."),
    Fault("a label of two arms", {"E/arms/sp/label": "μP"}, "E/arms/sp/label", "is the label of arm 'mup', too. Choose another"),
    Fault("a label that colours a terminal", {"E/arms/mup/label": "\x1b[31mmup"}, "E/arms/mup/label", "U+001B. Remove it."),
    Fault("a label that turns letters around", {"E/arms/mup/label": "m\u202eup"}, "E/arms/mup/label", "U+202E. Remove it."),
    Fault("an escape in a name", {"study/a\x1b": ALONE}, "study/'a\\x1b'", "Give a name of lower-case letters"),
    Fault("a question with a zero byte", {"E/question": "Why\0?"}, "E/question", "U+0000. Remove it."),
    Fault("an address with a zero byte", {"data/mnist5k/options": {"url": "a\0b"}}, "data/mnist5k/options/url", "U+0000. Remove it."),
    Fault("a width beyond every machine", {"E/widths": [10**13]}, "E/widths[0]", "Give a number of at most 1000000."),
    Fault("a depth beyond every machine", {"E/depths": [10**6]}, "E/depths[0]", "Give a number of at most 1000."),
    Fault("more steps than one lives to see", {"E/steps": 10**15}, "E/steps", "Give a number of at most 1000000000."),
    Fault("an option of a model beyond every machine", {"E/model": {"residual_mlp": {"layers_per_branch": 10**7}}}, "E/model/residual_mlp/layers_per_branch", "Give a whole number of at most 1,000,000."),
    Fault("memory beyond every machine", {"resources/train/mem_mb": 10**9}, "resources/train/mem_mb", "Give a number of at most 100000000."),
    Fault("a job of two thousand years", {"resources/train/runtime_minutes": 10**9}, "resources/train/runtime_minutes", "Give a number of at most 1000000."),
    Fault("a seed beyond generators", {"E/seeds": [2**64]}, "E/seeds[0]", "Give a number less than 4294967296."),
    Fault("a rate beyond float32", {"E/arms/mup/lr": [1e308]}, "E/arms/mup/lr[0]", "Give a number of at most 1e+20."),
    Fault("an option of 400 digits", {"E/optimizer": {"sgd": {"momentum": 10**400}}}, "E/optimizer/sgd/momentum", "Give a number less than"),
    Fault("a share of 400 digits", {"E/loss_window": "1/" + "9" * 400}, "E/loss_window", "Give a share such as 1/4."),
    Fault("a power of 400 digits", {"E/arms/mup/lr": "2^" + "9" * 400}, "E/arms/mup/lr", "Give 2^a .. 2^b"),
    Fault("a million rates", {"E/arms/mup/lr": [0.1] * 10**6}, "E/arms/mup/lr", "has 1,000,000 entries. Give at most 1,000."),
    Fault("twelve thousand rates in short", {"E/arms/mup/lr": "2^-64 .. 2^64 by 1/100"}, "E/arms/mup/lr", "has 12,801 rates. Give at most 1,000."),
    Fault("a hundred thousand seeds", {"E/seeds": list(range(10**5))}, "E/seeds", "has 100,000 entries. Give at most 1,000."),
    Fault("more runs than a plan holds", {"E/seeds": list(range(3, 1003)), "E/widths": list(range(1, 31))}, "E/seeds", "Shorten an axis, to at most 100,000 in all."),
]
# fmt: on
