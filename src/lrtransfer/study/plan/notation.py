"""What may stand in params.yaml, as it is written: the short form of a study.

An experiment says what differs from its parent (`like`, and above all of them `defaults`), an arm
what differs from its experiment, a scale what differs from the laptop's. So everything here may be
left out, and null switches off what was inherited and a study can go without. What has to be there
in the end is said by `schema`, into which `inherit` turns this form.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, create_model

from lrtransfer.study.plan import axes, schema
from lrtransfer.study.plan.schema import Settings
from lrtransfer.study.plan.values import (
    Augmentation,
    Axis,
    CompileMode,
    Count,
    Depths,
    Group,
    Label,
    Name,
    Names,
    Option,
    Positive,
    Precision,
    Section,
    Text,
    Trained,
    Widths,
)
from lrtransfer.study.plan.values import Rate as Number

UNSAID: Any = None  # left out; where this is the default, null is refused

Power = Annotated[str, Field(pattern=f"^{axes.POWER}$")]
Span = Annotated[str, Field(pattern=f"^{axes.SPAN}$")]
Share = Annotated[str, Field(pattern=r"^1/[1-9]\d{0,8}$")]

Rate = Annotated[Number, BeforeValidator(axes.rate, json_schema_input_type=Number | Power)]
"""A learning rate: a number, or `2^n`."""

Written = list[Number | Power] | Number | Power | Span

Rates = Annotated[Axis[Rate], BeforeValidator(axes.rates, json_schema_input_type=Written)]
"""The axis of an arm: `2^a .. 2^b`, `2^a .. 2^b by 1/2`, a list, or one rate."""


def _one(member: Any) -> Any:
    """Read a member's name alone as one without options; refuse what is not one member."""
    if not isinstance(member, str | dict) or (len(member) != 1 and isinstance(member, dict)):
        raise ValueError("needs one name. Give it with its options, as in {sgd: {momentum: 0.9}}.")
    return {member: {}} if isinstance(member, str) else member


Options = dict[str, Option | None]
Member = Annotated[
    dict[Name, Options],
    BeforeValidator(_one, json_schema_input_type=Name | dict[Name, Options]),
]
"""One of a kind, with options where they differ from its own: `sgd`, `{sgd: {momentum: 0.9}}`.

The inherited name keeps the inherited options beside its own; another name replaces them.
"""


def _in_part(section: type[Section]) -> type[Section]:
    """Return a section whose fields may be left out, and null where it can do without them."""
    fields: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        kind = field.rebuild_annotation()
        strict = field.is_required() or field.default is None
        fields[name] = (kind if strict else kind | None, None)
    name, doc = section.__name__, section.__doc__
    made: type[Section] = create_model(name, __base__=Section, __doc__=doc, **fields)
    return made


@_in_part
class Constants(schema.Constants):
    """`schema.Constants`, as far as they differ."""


@_in_part
class Decay(schema.DecayRule):
    """`schema.DecayRule`, as far as it differs."""


@_in_part
class GroupWarmup(schema.GroupWarmup):
    """`schema.GroupWarmup`, as far as it differs."""


@_in_part
class Horizon(schema.Horizon):
    """`schema.Horizon`, as far as it differs."""


@_in_part
class Measure(schema.Measure):
    """`schema.Measure`, as far as it differs."""


@_in_part
class Density(schema.Density):
    """`schema.Density`, as far as it differs."""


@_in_part
class Spectra(schema.Spectra):
    """`schema.Spectra`, as far as it differs; the seeds are all of them if nothing is said."""

    seeds: Axis[Count] | None = None  # type: ignore[assignment]
    density: Density = UNSAID


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
        augmentation: See `schema.Grid`.
    """

    lr: Rates = UNSAID
    measured_at: Rate | None = None
    steps: Positive = UNSAID
    batch_size: Positive = UNSAID
    train_samples: Positive | None = None
    loss_window: Annotated[Positive | Share, Field(union_mode="left_to_right")] = UNSAID
    weight_decay: PositiveFloat | None = None
    augmentation: Augmentation | None = None


class Setting(ArmAtScale):
    """What an arm may say, and an experiment for all of its arms."""

    parameterization: Name = UNSAID
    constants: Constants | None = None
    optimizer: Member = UNSAID
    schedule: Member = UNSAID
    trained: Trained = UNSAID
    decay: Decay | None = None
    group_warmup: GroupWarmup | None = None
    horizon: Horizon | None = None
    tuner: Member | None = None
    replay: Member | None = None


class Arm(Setting):
    """One setting of what an experiment compares.

    Attributes:
        like: Another arm of the experiment, whose word this one takes where it says nothing.
        label: In figures; the arm's name if nothing is said.
        model_options: Options that differ from those of the experiment's model, at every scale.
    """

    like: Name = UNSAID
    label: Label = UNSAID
    model_options: Options | None = None


class Grid(ArmAtScale):
    """What an experiment says, and may say anew at a scale; see `schema.Grid`."""

    dataset: Name = UNSAID
    model: Member = UNSAID
    constants: Constants | None = None
    widths: Widths = UNSAID
    depths: Depths = UNSAID
    batches: Axis[Positive] | None = None
    durations: Axis[Positive] | None = None
    seeds: Axis[Count] = UNSAID
    precision: Precision | None = None
    micro_batch: Positive | None = None
    compile: CompileMode | None = None
    fused: bool | None = None
    batched: Positive | None = None
    measure: Measure | None = None
    spectra: Spectra | None = None


def _axis_alone(arm: Any) -> Any:
    return arm if arm is None or isinstance(arm, dict) else {"lr": arm}


class Scale(Grid):
    """What differs at a scale, for the experiment and for its arms.

    Attributes:
        like: Another scale, whose word this one takes where it says nothing.
    """

    like: Literal["gpu", "paper"] = UNSAID
    arms: dict[
        Name,
        Annotated[
            ArmAtScale,
            BeforeValidator(_axis_alone, json_schema_input_type=ArmAtScale | Written),
        ],
    ] = Field(default_factory=dict)


def _no_laptop(scale: Any) -> Any:
    if scale == "laptop":
        raise ValueError("the experiment itself is the laptop's. Write these fields there.")
    return scale


OverriddenScale = Annotated[Literal["smoke", "gpu", "paper"], BeforeValidator(_no_laptop)]


class Smaller(Section):
    """The rule by which a scale is derived from the laptop's.

    Attributes:
        sizes: How many widths, depths, batches and durations are kept, the smallest.
        seeds: How many seeds are kept, the first.
        rates: How many learning rates of an arm are kept, around the measured one.
        steps: Share of a run's updates, of its loss window and of the spectra's steps; a run keeps
            at least 8 updates.
        batch_size: Share of the samples of an update, and of those that a run draws from.
        samples: Share of the samples that curvature is measured on.
        points: How often a run is measured at most.
    """

    derived_from: Annotated[Literal["laptop"], Field(alias="from")]
    sizes: Positive
    seeds: Positive
    rates: Positive
    steps: Share
    batch_size: Share
    samples: Share
    points: Positive


class Common(Setting, Grid):
    """What an experiment may say, and the defaults for all of them."""

    loss: Name = UNSAID
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
        scales: What differs at other scales. The experiment itself is the laptop's. Null leaves
            out a scale that it would inherit.
    """

    like: Name = UNSAID
    only: Names = UNSAID
    question: Text = UNSAID
    paper: Text = UNSAID
    group: Group = UNSAID
    arms: dict[
        Name,
        Annotated[Arm, BeforeValidator(_axis_alone, json_schema_input_type=Arm | Written)],
    ] = Field(default_factory=dict)
    scales: dict[OverriddenScale, Scale | None] = Field(default_factory=dict)


class DefaultScales(Section):
    """What holds at a scale for every experiment that has it."""

    smoke: Smaller = UNSAID
    gpu: Scale = UNSAID
    paper: Scale = UNSAID


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
