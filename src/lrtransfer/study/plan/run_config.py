"""The configuration of a run and of a spectrum: all that was chosen, resolved to the last number.

Its JSON form is what keys are hashed of and what run files, checkpoints and tables hold. A field at
its default is left out there, so that an option added later changes no key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from typing import Any, Literal

SCHEMA = 1

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """A model family at one size; `options` hold its hyperparameters that the size leaves alone."""

    family: str
    options: Options
    width: int
    depth: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterizationConfig:
    """How tensors scale.

    Attributes:
        rules: Role -> exponents, of the roles that the model has.
        constants: Fields of `lrtransfer.scaling.rules.Constants`.
        outside: For a model that tells no roles, `sgd` or `adam`: the family of its optimizer, by
            which `lrtransfer.parameterize` scales it from outside. None for one that tells them.
    """

    rules: Mapping[str, Any]
    constants: Mapping[str, Any]
    outside: Literal["sgd", "adam"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedConfig:
    """A member of a room (an optimizer, a schedule, a tuner) and its options."""

    name: str
    options: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureConfig:
    """What a run logs and when: at `steps`, or as often as `share` of the training's price allows.

    Attributes:
        probes: Their names.
        samples: Size of the fixed training subset (samples).
        tolerance: Relative residual at which an iterative probe stops.
        steps: Ascending; None where `share` decides.
        share: Measuring's price over that of training; None where `steps` are named.
    """

    probes: tuple[str, ...]
    samples: int
    tolerance: float
    steps: tuple[int, ...] | None = None
    share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecayConfig:
    """The rule of learning rate and weight decay over widths (`plan.schema.DecayRule`)."""

    rule: Literal["standard", "independent", "power", "lr_independent", "none"]
    power: float | None
    unscaled: tuple[str, ...]
    faster: tuple[str, ...]
    undecayed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupWarmupConfig:
    """A warm-up of the tensors that the decay rule leaves unscaled, over a share of the run."""

    name: Literal["exponential"]
    fraction: float


@dataclass(frozen=True, slots=True, kw_only=True)
class HorizonConfig:
    """A rule of batch and duration (`scaling/horizon.py`), and both over those of the base.

    The optimizer's options hold β₁ and β₂ as the rule has them.
    """

    rule: Literal["sde", "root_batch", "hyper_p"]
    batch: float
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """All that can change the result of a run, apart from the code.

    Attributes:
        data: Identity of the prepared data set.
        batch_size: Samples of an update.
        steps: Updates of the run.
        learning_rate: The peak of the schedule; under a tuner a factor on its own rate.
        measure: None logs the loss alone.
        trained: `all` tensors, or the `output` alone (random features).
        augmentation: A function of `training/augmentation.py`; None trains on the images as is.
        decay: None leaves the parameterization's own numbers.
        group_warmup: None has the schedule alone.
        horizon: None leaves the numbers as they are at every batch and duration.
        one_pass: Whether a run that would see a sample twice is refused.
        tuner: None trains at the learning rates themselves.
        train_samples: Training samples that the run sees; None is all of them.
        replay: Optimizer of the run whose effective rates this one is forced to; None goes its
            own way.
        micro_batch: Samples whose gradient is taken at once; None takes a whole batch.
        compile: A mode of `torch.compile` for the passes of an update; None runs them as they are.
        fused: True for the optimizer's fused kernels; None for torch's choice.
        batched: Most runs of a sweep that train as one over stacked tensors; None trains each by
            itself, as a run that measures does.
    """

    data: str
    model: ModelConfig
    parameterization: ParameterizationConfig
    loss: str
    optimizer: NamedConfig
    schedule: NamedConfig
    batch_size: int
    steps: int
    precision: Literal["float32", "float64", "bfloat16"]
    learning_rate: float
    seed: int
    measure: MeasureConfig | None
    trained: Literal["all", "output"] = "all"
    augmentation: str | None = None
    decay: DecayConfig | None = None
    group_warmup: GroupWarmupConfig | None = None
    one_pass: bool = False
    tuner: NamedConfig | None = None
    train_samples: int | None = None
    replay: NamedConfig | None = None
    micro_batch: int | None = None
    compile: Literal["default", "reduce-overhead", "max-autotune"] | None = None
    fused: bool | None = None
    horizon: HorizonConfig | None = None
    batched: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON has it: nested mappings, lists and plain values."""
        return {"schema": SCHEMA, **_plain(self)}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> RunConfig:
        """Return the configuration that `to_json` wrote.

        Raises:
            ValueError: It has another schema, or other fields than this version knows.
        """
        parts = {
            "model": ModelConfig,
            "parameterization": ParameterizationConfig,
            "optimizer": NamedConfig,
            "schedule": NamedConfig,
            "measure": MeasureConfig,
            "decay": DecayConfig,
            "group_warmup": GroupWarmupConfig,
            "tuner": NamedConfig,
            "replay": NamedConfig,
            "horizon": HorizonConfig,
        }
        own = _without_schema(content)
        given = {
            name: _read(parts[name], value) if name in parts and value is not None else value
            for name, value in own.items()
        }
        found: RunConfig = _read(cls, given)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DensityConfig:
    """Stochastic Lanczos quadrature: random probes and Lanczos steps for each."""

    probes: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SpectrumConfig:
    """What is computed of one checkpoint.

    Attributes:
        run: Key of the run.
        step: Of the checkpoint.
        samples: Of the fixed training subset.
        top: How many eigenvalues.
        density: Effort for the density.
    """

    run: str
    step: int
    samples: int
    top: int
    density: DensityConfig

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as JSON has it."""
        return {"schema": SCHEMA, **_plain(self)}


def _plain(config: Any) -> dict[str, Any]:
    """Return the fields that are not at their default, in JSON's types."""
    found = {}
    for field in fields(config):
        value = getattr(config, field.name)
        if field.default is not MISSING and value == field.default:
            continue
        if is_dataclass(value):
            value = _plain(value)
        found[field.name] = list(value) if isinstance(value, tuple) else value
    return found


def _without_schema(content: Mapping[str, Any]) -> dict[str, Any]:
    if content.get("schema") != SCHEMA:
        raise ValueError(
            f"the configuration has schema {content.get('schema')}, this version reads {SCHEMA}. "
            "Train the run again."
        )
    return {name: value for name, value in content.items() if name != "schema"}


def _read(kind: Any, content: Mapping[str, Any]) -> Any:
    try:
        return kind(**{n: tuple(v) if isinstance(v, list) else v for n, v in content.items()})
    except TypeError as error:
        raise ValueError(
            f"the configuration does not fit this version ({error}). Train the run again."
        ) from None
