"""What a grid says of one arm at one size -> the configuration that its runs share."""

from __future__ import annotations

from functools import partial
from typing import Any

from lrtransfer.scaling.horizon import horizon
from lrtransfer.study.plan import catalog
from lrtransfer.study.plan.catalog import GRID_OPTIONS
from lrtransfer.study.plan.measurement import measurement_steps
from lrtransfer.study.plan.parameterizations import family, known
from lrtransfer.study.plan.run_config import (
    DecayConfig,
    GroupWarmupConfig,
    HorizonConfig,
    MeasureConfig,
    ModelConfig,
    NamedConfig,
    ParameterizationConfig,
    RunConfig,
)
from lrtransfer.study.plan.schema import (
    Arm,
    DecayRule,
    Experiment,
    Grid,
    Horizon,
    Measure,
    NamedSpec,
    Study,
    of_arm,
)
from lrtransfer.study.plan.sizes import Length, own_length

# Of the price of training, for measuring where an experiment names no steps.
DEFAULT_SHARE = 0.15


def shared_config(
    experiment: Experiment,
    grid: Grid,
    arm_name: str,
    *,
    size: tuple[int, int, Length],
    dataset: str,
    study: Study,
) -> partial[RunConfig]:
    """Return what the runs of a sweep share: all but learning rate, seed and what is measured."""
    arm, (width, depth, length) = experiment.arms[arm_name], size
    model = grid.model or experiment.model
    optimizer = arm.optimizer
    if grid.weight_decay is not None:
        options = {**optimizer.options, "weight_decay": of_arm(grid.weight_decay, arm_name)}
        optimizer = NamedSpec(name=optimizer.name, options=options)
    decay, tuner, warmup, samples = arm.decay, arm.tuner, arm.group_warmup, grid.train_samples
    said = grid.augmentation
    augmentation = said.get(arm_name, "none") if isinstance(said, dict) else said
    own = own_length(grid, arm_name)
    by = None if arm.horizon is None else _horizon(arm.horizon, length, own)
    named = _named("optim", optimizer)
    return partial(
        RunConfig,
        data=dataset,
        model=ModelConfig(
            family=model.family,
            options=filled("models", model.family, model.options | arm.model_options),
            width=width,
            depth=depth,
        ),
        parameterization=_parameterization(experiment, grid, arm, model.family, study),
        loss=experiment.loss,
        optimizer=named if by is None else _with_betas(named, by),
        schedule=_named("optim/schedules", arm.schedule),
        batch_size=length.batch_size,
        steps=length.steps,
        precision=grid.precision,
        trained=arm.trained,
        augmentation=None if augmentation == "none" else augmentation,
        decay=None if decay is None else _decay(decay),
        group_warmup=None if warmup is None else GroupWarmupConfig(**warmup.model_dump()),
        one_pass=experiment.one_pass,
        tuner=None if tuner is None else _named("optim/tuners", tuner),
        train_samples=None if samples is None else of_arm(samples, arm_name),
        replay=None if arm.replay is None else _named("optim", arm.replay),
        micro_batch=grid.micro_batch,
        compile=grid.compile,
        fused=grid.fused or None,
        horizon=by,
    )


def _decay(rule: DecayRule) -> DecayConfig:
    return DecayConfig(
        rule=rule.rule,
        power=rule.power,
        unscaled=tuple(sorted(rule.unscaled)),
        faster=tuple(sorted(rule.faster)),
        undecayed=tuple(sorted(rule.undecayed)),
    )


def _horizon(asked: Horizon, at: Length, own: Length) -> HorizonConfig | None:
    """Return what the rule knows of a run; None at its base, where it changes nothing."""
    batch, steps = asked.batch_size or own.batch_size, asked.steps or own.steps
    if at == (batch, steps):
        return None
    samples = at.batch_size * at.steps / (batch * steps)
    return HorizonConfig(rule=asked.rule, batch=at.batch_size / batch, duration=samples)


def _with_betas(optimizer: NamedConfig, by: HorizonConfig) -> NamedConfig:
    """Return the optimizer with the β that the rule makes of its own, which are AdamW's."""
    betas = tuple(optimizer.options.get(name) for name in ("beta1", "beta2"))
    if None in betas:
        return optimizer
    found = horizon(by.rule, "adamw", batch=by.batch, duration=by.duration, betas=betas)  # type: ignore[arg-type]
    scaled = dict(zip(("beta1", "beta2"), found.betas or betas, strict=True))
    return NamedConfig(name=optimizer.name, options={**optimizer.options, **scaled})


def _parameterization(
    experiment: Experiment, grid: Grid, arm: Arm, model: str, study: Study
) -> ParameterizationConfig:
    """Return the exponents themselves, so that a key depends on what they say, not on a name.

    Only the roles of the model's tensors and modules, and nothing that is a default: a role or a
    quantity that is added to a table later leaves the keys of these runs alone. Of a model that
    tells no roles, all of the table's.
    """
    spec = known(study.parameterizations)[arm.parameterization]
    column = family(arm.optimizer.name)
    table, told = spec.families[column], catalog.tells_roles(model)  # type: ignore[index]
    roles = catalog.constant("models", model, "ROLES") if told else sorted(table)
    rules = {role: table[role].model_dump(exclude_defaults=True) for role in roles if role in table}
    constants = arm.constants or grid.constants or experiment.constants
    return ParameterizationConfig(
        rules=rules,
        constants=constants.model_dump(),
        outside=None if told else column,  # type: ignore[arg-type]
    )


def measure_config(measure: Measure, steps: int) -> MeasureConfig:
    """Return what runs of so many steps measure, and when."""
    named, share = None, DEFAULT_SHARE if measure.share is None else measure.share
    if measure.points is not None and measure.spacing is not None:
        named = tuple(measurement_steps(steps, measure.points, measure.spacing))
    return MeasureConfig(
        probes=tuple(sorted(measure.probes)),
        samples=measure.samples,
        tolerance=measure.tolerance,
        steps=named,
        share=share if named is None else None,
    )


def _named(room: str, spec: NamedSpec) -> NamedConfig:
    return NamedConfig(name=spec.name, options=filled(room, spec.name, spec.options))


def filled(room: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options with defaults filled in, numbers in the declared type."""
    declared = {k: v for k, v in catalog.options(room, name).items() if k not in GRID_OPTIONS}
    filled = {key: options.get(key, option.default) for key, option in declared.items()}
    return {
        key: float(value) if declared[key].annotation == "float" and value is not None else value
        for key, value in sorted(filled.items())
    }
