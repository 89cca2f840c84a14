"""A study with everything filled in: every field, what it may hold, and its unit.

Types are strict: text is never read as a number, so that YAML's two dialects cannot give one file
two meanings. How params.yaml writes it in short is in `notation`, what needs more than one field to
judge in `checks`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, PositiveFloat

from lrtransfer.study.plan.exponents import ParameterizationSpec
from lrtransfer.study.plan.values import (
    Augmentation,
    Axis,
    CompileMode,
    Count,
    DecayRuleName,
    Depths,
    Group,
    GroupWarmupName,
    HorizonRule,
    Label,
    Megabytes,
    Minutes,
    Name,
    Names,
    Options,
    Positive,
    Precision,
    Rate,
    Scale,
    Section,
    Spacing,
    Text,
    Trained,
    Widths,
)


class DataSpec(Section):
    """One data set: where it comes from, its pinned checksum, and how it is prepared.

    Without a checksum no run is trained: `check` tells it.
    """

    source: Name
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    options: Options = {}


class ModelSpec(Section):
    """A model family and the hyperparameters that stay the same over the grid."""

    family: Name
    options: Options = {}


class NamedSpec(Section):
    """A member of a room (optimizer, schedule) and its options."""

    name: Name
    options: Options = {}


class Constants(Section):
    """The width- and depth-free constants of a parameterization (Noci et al., §2).

    γ = γ₀·√(N/base_width); branches are multiplied by (L/base_depth)^-branch_exponent.
    """

    branch_exponent: float = 0.0
    gamma0: PositiveFloat = 1.0
    base_width: Positive = 1
    base_depth: Positive = 1


class DecayRule(Section):
    """What becomes of learning rate and weight decay over widths, in place of the table's.

    Told relative to the base width; see docs/weight-decay.md for what each rule keeps.

    Attributes:
        rule: `standard` (η/m, λ), `independent` (η/m, mλ), `power` (η/m, m^power·λ),
            `lr_independent` (a step shrinks by λ times the schedule) or `none`.
        power: Exponent of `power`.
        unscaled: Roles whose learning rate does not fall with the width.
        faster: Roles whose learning rate is multiplied by the width over the base width.
        undecayed: Roles without weight decay.
    """

    rule: DecayRuleName
    power: float | None = None
    unscaled: Names = []
    faster: Names = []
    undecayed: Names = []


class GroupWarmup(Section):
    """A warm-up of the unscaled tensors' learning rates, on top of the schedule.

    Attributes:
        name: `exponential`: m^min(0, t/T − 1), with T the warm-up's length.
        fraction: T as a share of the run.
    """

    name: GroupWarmupName
    fraction: Annotated[float, Field(gt=0.0, le=1.0)]


class Horizon(Section):
    """The batch and the length at which an arm was tuned, and the rule from there to its own.

    Attributes:
        rule: See `lrtransfer.scaling.horizon`.
        batch_size: Samples of an update at the base; the arm's own if nothing is said.
        steps: Updates of a run at the base, likewise.
    """

    rule: HorizonRule
    batch_size: Positive | None = None
    steps: Positive | None = None


class Arm(Section):
    """One setting of what the experiment compares.

    Attributes:
        constants: In place of the experiment's.
        model_options: Options that differ from those of the experiment's model.
        trained: `all` tensors, or the `output` alone (random features).
        decay: The rule of learning rate and weight decay over widths; None leaves the table's.
        group_warmup: A warm-up of the tensors that `decay` leaves unscaled.
        horizon: A rule of batch and duration for rate, decay, ε and β; None leaves them.
        tuner: What chooses the learning rate of every step around the optimizer; the arm's
            learning rates are then factors on the tuner's own. None trains at them.
        replay: The optimizer of another run, whose effective rates η/‖W‖ each matrix is forced to.
    """

    label: Label
    parameterization: Name
    constants: Constants | None = None
    model_options: Options = {}
    optimizer: NamedSpec
    schedule: NamedSpec
    trained: Trained = "all"
    decay: DecayRule | None = None
    group_warmup: GroupWarmup | None = None
    horizon: Horizon | None = None
    tuner: NamedSpec | None = None
    replay: NamedSpec | None = None


class Measure(Section):
    """What the runs at the reference learning rate log, and when.

    `points` and `spacing` fix the steps beforehand, the same in every arm of one length, as
    exponents need them. Without them a run is measured as often as `share` allows, counted in
    gradient evaluations (`lrtransfer.study.training.cadence`); what was spent is in the table
    of runs.

    Attributes:
        probes: Names of probes.
        samples: Size of the fixed training subset that curvature is measured on (samples).
        points: Number of measurements after the one at step 0; fewer where steps coincide.
        spacing: `geometric` (for power laws in time) or `linear`.
        share: Measuring's price over that of training, 0.15 if nothing is said.
        tolerance: Relative residual at which Lanczos stops; 0.01 leaves an error of about 1e-4
            of the eigenvalue, and the error falls with the square.
    """

    probes: Names
    samples: Positive
    points: Positive | None = None
    spacing: Spacing | None = None
    share: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    tolerance: Annotated[float, Field(gt=0.0, lt=0.1)] = 0.01


class Density(Section):
    """Stochastic Lanczos quadrature: random probes and Lanczos steps for each."""

    probes: Positive
    steps: Annotated[int, Field(ge=2)]


class Spectra(Section):
    """Which checkpoints of the reference runs are kept, and what is computed from them."""

    seeds: Axis[Count]
    steps: Axis[Count]
    samples: Positive
    top: Positive
    density: Density


PerArm = Annotated[Positive | dict[Name, Positive], Field(union_mode="left_to_right")]
"""One number for all arms, or one for each."""

RatePerArm = Annotated[PositiveFloat | dict[Name, PositiveFloat], Field(union_mode="left_to_right")]
"""The same for numbers that need not be whole."""

Number = TypeVar("Number", int, float)


class Grid(Section):
    """One experiment at one scale: its axes, and the length of a run in steps of one batch.

    Attributes:
        dataset: In place of the experiment's.
        model: In place of the experiment's; options of an arm still count.
        steps: Updates of a run, for all arms or by arm.
        batch_size: Samples of an update, for all arms or by arm.
        batches: Samples of an update as an axis; every run sees steps · batch_size samples.
        durations: Samples that a run sees as an axis, in batches of batch_size.
        train_samples: Training samples that a run sees, chosen by its seed, for all arms or by
            arm; None is all of them.
        loss_window: Updates at the end whose mean loss is the run's, for all arms or by arm.
        constants: In place of the experiment's; those of an arm still count.
        reference_learning_rate: Where curvature is measured, by arm; in others it is not.
        weight_decay: λ in place of the optimizer's, for all arms or by arm: it goes with the
            length of a run.
        precision: Of the training; `bfloat16` has its products alone in it, and curvature is
            measured on the float32 weights.
        micro_batch: Samples whose gradient is taken at once, where a batch does not fit.
        compile: A mode of `torch.compile` for the passes of an update.
        fused: Whether the optimizer's fused kernels are used.
        batched: Most runs of a sweep that train as one over stacked tensors. Those that measure
            train by themselves.
        augmentation: `crop_flip` shifts images by up to 4 pixels and mirrors half of them; for all
            arms or by arm, `none` in those that are not named.
        measure: What runs at the reference learning rate log; None logs the loss alone.
        spectra: Which checkpoints are kept for spectra; None keeps none.
    """

    dataset: Name | None = None
    model: ModelSpec | None = None
    widths: Widths
    depths: Depths
    seeds: Axis[Count]
    steps: PerArm
    batch_size: PerArm
    batches: Axis[Positive] | None = None
    durations: Axis[Positive] | None = None
    loss_window: PerArm
    train_samples: PerArm | None = None
    constants: Constants | None = None
    reference_learning_rate: dict[Name, Rate] = {}
    weight_decay: RatePerArm | None = None
    precision: Precision = "float32"
    micro_batch: Positive | None = None
    compile: CompileMode | None = None
    fused: bool | None = None
    batched: Positive | None = None
    augmentation: Augmentation | dict[Name, Augmentation] = "none"
    learning_rates: dict[Name, Axis[Rate]]
    measure: Measure | None = None
    spectra: Spectra | None = None


def of_arm(value: Number | dict[str, Number], arm: str) -> Number:
    """Return what a field that may be given by arm says for one arm."""
    return value[arm] if isinstance(value, dict) else value


class Experiment(Section):
    """One question with its grid.

    Attributes:
        paper: Which paper it belongs to, if to any.
        group: `core` experiments run unless others are asked for.
        one_pass: Whether a run that would see a training sample twice is refused.
    """

    question: Text
    paper: Text | None = None
    group: Group = "extra"
    figures: Names = []
    dataset: Name
    model: ModelSpec
    loss: Name
    constants: Constants = Constants()
    one_pass: bool = False
    arms: Annotated[dict[Name, Arm], Field(min_length=1)]
    scales: dict[Scale, Grid]


class Fits(Section):
    """Statistics over runs."""

    confidence: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.95


class Figures(Section):
    """How figures are drawn."""

    dpi: Annotated[int, Field(ge=50, le=600)] = 150


class JobResources(Section):
    """What one job asks for; `gpu` counts devices."""

    mem_mb: Megabytes
    runtime_minutes: Minutes
    gpu: Count = 0


class Card(Section):
    """The GPU in whose hours the scales `gpu` and `paper` are priced, and how much of it is used.

    Attributes:
        teraflops: Its peak, by the precision of a run.
        utilisation: Share of that which products reach.
        kernel_us: What the host takes to start a kernel (microseconds): all of a small net's time.
        jobs: Jobs that share the card while kernels are started.
    """

    name: Text = "NVIDIA A100"
    teraflops: dict[Precision, PositiveFloat] = {
        "float32": 19.5,
        "bfloat16": 312.0,
        "float64": 9.7,
    }
    utilisation: Annotated[float, Field(gt=0.0, le=1.0)] = 0.3
    kernel_us: PositiveFloat = 8.0
    jobs: Positive = 4


class Resources(Section):
    """Cluster resources by stage, how many runs share a job, how many processes train a run."""

    runs_per_job: Annotated[Literal["sweep"] | Positive, Field(union_mode="left_to_right")] = (
        "sweep"
    )
    processes_per_run: Positive = 1
    train: JobResources
    spectra: JobResources
    card: Card = Card()


def _selection(value: Any) -> Any:
    named = isinstance(value, str) and value not in ("core", "all")
    return value.replace(",", " ").split() if named else value


class Settings(Section):
    """What params.yaml says beside the experiments.

    Attributes:
        seed_offset: Added to every seed: the same study with other seeds, beside its own runs.
    """

    scale: Scale
    experiments: Annotated[
        Literal["core", "all"] | Names,
        BeforeValidator(_selection, json_schema_input_type=str | list[str]),
    ]
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:\d+)?)$")] = "auto"
    seed_offset: Count = 0
    data: Annotated[dict[Name, DataSpec], Field(min_length=1)]
    parameterizations: dict[Name, ParameterizationSpec] = {}
    fits: Fits = Fits()
    figures: Figures = Figures()
    resources: Resources


class Study(Settings):
    """All that is asked, with nothing left to inherit."""

    study: Annotated[dict[Name, Experiment], Field(min_length=1)]
