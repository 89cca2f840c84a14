"""What may stand in params.yaml, as it is written: the short form of a study.

An experiment says what differs from its parent (`like`, and above all of them `defaults`), an arm
what differs from its experiment, a scale what differs from the laptop's. So everything here may be
left out, and null switches off what was inherited. What has to be there in the end is said by
`schema`, into which `inherit` turns this form.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PositiveFloat, PositiveInt

from lrtransfer.study.plan import axes
from lrtransfer.study.plan.schema import (
    Augmentation,
    Count,
    DecayRuleName,
    Group,
    GroupWarmupName,
    IntAxis,
    Name,
    Precision,
    Section,
    SeedAxis,
    Settings,
    Spacing,
    Trained,
    distinct,
)

Power = Annotated[str, Field(pattern=r"^2\^-?\d+(\.\d+)?$")]
Share = Annotated[str, Field(pattern=r"^1/[1-9]\d*$")]
Names = Annotated[list[Name], AfterValidator(distinct)]
OverriddenScale = Literal["smoke", "paper"]

Rate = Annotated[
    PositiveFloat, BeforeValidator(axes.rate, json_schema_input_type=PositiveFloat | Power)
]
"""A learning rate: a number, or `2^n`."""

Rates = Annotated[
    list[Rate],
    Field(min_length=1),
    AfterValidator(distinct),
    BeforeValidator(axes.rates, json_schema_input_type=list[PositiveFloat | Power] | float | str),
]
"""The axis of an arm: `2^a .. 2^b`, `2^a .. 2^b by 1/2`, a list, or one rate."""


def _one(member: Any) -> Any:
    """Read a member's name alone as one without options; refuse two members."""
    if isinstance(member, dict) and len(member) != 1:
        raise ValueError("needs one name. Give it with its options, as in {sgd: {momentum: 0.9}}.")
    return {member: {}} if isinstance(member, str) else member


Options = dict[str, int | float | bool | str | None]
Member = Annotated[
    dict[Name, Options],
    BeforeValidator(_one, json_schema_input_type=Name | dict[Name, Options]),
]
"""One of a kind, with options where they differ from its own: `sgd`, `{sgd: {momentum: 0.9}}`.

The inherited name keeps the inherited options beside its own; another name replaces them.
"""


class Constants(Section):
    """`schema.Constants`, as far as they differ."""

    branch_exponent: float | None = None
    gamma0: PositiveFloat | None = None
    base_width: PositiveInt | None = None
    base_depth: PositiveInt | None = None


class Decay(Section):
    """`schema.DecayRule`, as far as it differs."""

    rule: DecayRuleName | None = None
    power: float | None = None
    unscaled: Names | None = None
    faster: Names | None = None
    undecayed: Names | None = None


class GroupWarmup(Section):
    """`schema.GroupWarmup`, as far as it differs."""

    name: GroupWarmupName | None = None
    fraction: Annotated[float, Field(gt=0.0, le=1.0)] | None = None


class Measure(Section):
    """`schema.Measure`, as far as it differs."""

    probes: Names | None = None
    samples: PositiveInt | None = None
    points: Annotated[int, Field(ge=1)] | None = None
    spacing: Spacing | None = None
    share: Annotated[float, Field(gt=0.0, le=1.0)] | None = None
    tolerance: Annotated[float, Field(gt=0.0, lt=0.1)] | None = None


class Density(Section):
    """`schema.Density`, as far as it differs."""

    probes: PositiveInt | None = None
    steps: Annotated[int, Field(ge=2)] | None = None


class Spectra(Section):
    """`schema.Spectra`, as far as it differs; the seeds are all of them if nothing is said."""

    seeds: SeedAxis | None = None
    steps: Annotated[list[Count], Field(min_length=1), AfterValidator(distinct)] | None = None
    samples: PositiveInt | None = None
    top: PositiveInt | None = None
    density: Density | None = None


class ArmAtScale(Section):
    """What an arm may say anew at a scale, and a scale for all arms.

    Attributes:
        lr: The axis of learning rates.
        measured_at: The rate at which curvature is measured; the axis's own if it has only one.
        steps: Updates of a run.
        batch_size: Samples of an update.
        train_samples: Training samples that a run sees, chosen by its seed; all if not said.
        loss_window: Updates at the end whose mean loss is the run's: a number, or a share `1/n`.
        weight_decay: λ, in place of the optimizer's option.
    """

    lr: Rates | None = None
    measured_at: Rate | None = None
    steps: PositiveInt | None = None
    batch_size: PositiveInt | None = None
    train_samples: PositiveInt | None = None
    loss_window: Annotated[PositiveInt | Share, Field(union_mode="left_to_right")] | None = None
    weight_decay: PositiveFloat | None = None


class Setting(ArmAtScale):
    """What an arm may say, and an experiment for all of its arms."""

    parameterization: Name | None = None
    constants: Constants | None = None
    optimizer: Member | None = None
    schedule: Member | None = None
    trained: Trained | None = None
    decay: Decay | None = None
    group_warmup: GroupWarmup | None = None
    tuner: Member | None = None


class Arm(Setting):
    """One setting of what an experiment compares.

    Attributes:
        like: Another arm of the experiment, whose word this one takes where it says nothing.
        label: In figures; the arm's name if nothing is said.
        model_options: Options that differ from those of the experiment's model, at every scale.
    """

    like: Name | None = None
    label: Annotated[str, Field(min_length=1, max_length=40)] | None = None
    model_options: Options | None = None


class Grid(ArmAtScale):
    """What an experiment says, and may say anew at a scale; see `schema.Grid`."""

    dataset: Name | None = None
    model: Member | None = None
    constants: Constants | None = None
    widths: IntAxis | None = None
    depths: IntAxis | None = None
    seeds: SeedAxis | None = None
    precision: Precision | None = None
    augmentation: Augmentation | None = None
    measure: Measure | None = None
    spectra: Spectra | None = None


def _axis_alone(arm: Any) -> Any:
    return arm if arm is None or isinstance(arm, dict) else {"lr": arm}


Axis = list[PositiveFloat | Power] | PositiveFloat | str


class Scale(Grid):
    """What differs at a scale, for the experiment and for its arms."""

    arms: dict[
        Name,
        Annotated[
            ArmAtScale,
            BeforeValidator(_axis_alone, json_schema_input_type=ArmAtScale | Axis),
        ],
    ] = Field(default_factory=dict)


class Smaller(Section):
    """The rule by which a scale is derived from the laptop's.

    Attributes:
        sizes: How many widths and depths are kept, the smallest.
        seeds: How many seeds are kept, the first.
        rates: How many learning rates of an arm are kept, around the measured one.
        steps: Share of a run's updates, of its loss window and of the spectra's steps; a run keeps
            at least 8 updates.
        batch_size: Share of the samples of an update, and of those that a run sees.
        samples: Share of the samples that curvature is measured on.
        points: How often a run is measured at most.
    """

    derived_from: Annotated[Literal["laptop"], Field(alias="from")]
    sizes: PositiveInt
    seeds: PositiveInt
    rates: PositiveInt
    steps: Share
    batch_size: Share
    samples: Share
    points: PositiveInt


class Common(Setting, Grid):
    """What an experiment may say, and the defaults for all of them."""

    loss: Name | None = None
    figures: Names | None = None
    one_pass: bool | None = None


class Experiment(Common):
    """One question, as far as it is not asked as in its parent.

    Attributes:
        question: In words. It, `paper` and `group` are never inherited.
        paper: Which paper it belongs to, by its short name or in words of your own.
        group: `core` experiments run unless others are asked for.
        like: Another experiment, which this one takes after.
        only: Which of the inherited arms are compared, and in which order; all if nothing is said.
            Its own arms follow unless they are named among them.
        arms: New ones, and what differs in inherited ones; an arm given as text is its axis.
        scales: What differs at other scales. The experiment itself is the laptop's.
    """

    like: Name | None = None
    only: Names | None = None
    question: Annotated[str, Field(min_length=1)] | None = None
    paper: Annotated[str, Field(min_length=1)] | None = None
    group: Group | None = None
    arms: dict[
        Name,
        Annotated[Arm, BeforeValidator(_axis_alone, json_schema_input_type=Arm | Axis)],
    ] = Field(default_factory=dict)
    scales: dict[OverriddenScale, Scale] = Field(default_factory=dict)


class DefaultScales(Section):
    """What holds at a scale for every experiment that has it."""

    smoke: Smaller | None = None
    paper: Scale | None = None


class Defaults(Common):
    """The parent of every experiment."""

    scales: DefaultScales = DefaultScales()


class Notation(Settings):
    """The whole of params.yaml.

    Attributes:
        include: Files with experiments of your own, name by name as under `study`; `*` stands for
            any name.
    """

    include: list[str] = Field(default_factory=list)
    defaults: Defaults = Defaults()
    study: Annotated[dict[Name, Experiment], Field(min_length=1)]
