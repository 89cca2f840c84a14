"""One run: from a configuration and data to a log of rows. All science, no files."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lrtransfer.study.data import Arrays
from lrtransfer.study.plan.parts import load
from lrtransfer.study.probes import Measurement, Probe, Update
from lrtransfer.study.training import streams
from lrtransfer.study.training.cadence import Cadence
from lrtransfer.study.training.examples import training_examples
from lrtransfer.study.training.learning_rates import LearningRates
from lrtransfer.study.training.nested import flattened, nested
from lrtransfer.study.training.network import PRECISIONS, Network, block_size, run_network
from lrtransfer.study.training.samples import Batch, Examples

if TYPE_CHECKING:
    from lrtransfer.study.plan.run_config import RunConfig
    from lrtransfer.study.training.micro_batches import MicroBatches
    from lrtransfer.study.training.tuned_updates import TunedUpdates

# Losses are looked at this often (steps): a look costs a wait for the device.
DIVERGENCE_INTERVAL = 16

Row = dict[str, float]


@dataclass
class State:
    """All that a run needs to go on bit-equal: plain numbers, and tensors by name."""

    step: int
    rows: dict[int, Row]
    numbers: dict[str, Any]
    tensors: dict[str, Tensor]


@dataclass(frozen=True)
class Log:
    """What a run leaves behind.

    Attributes:
        losses: Mini-batch loss of updates 1…, cut before the first non-finite one.
        learning_rates: Global learning rate of the same updates.
        rows: Step -> measured columns; the parameters are those after `step` updates.
        diverged_step: The update whose loss was not finite, or None.
        measuring: What the measurements cost, in gradient evaluations of a training batch.
        seconds: Wall time of this process's part of the run.
    """

    losses: list[float]
    learning_rates: list[float]
    rows: dict[int, Row]
    diverged_step: int | None
    measuring: float
    seconds: float

    @property
    def status(self) -> str:
        """`ok` or `diverged`."""
        return "ok" if self.diverged_step is None else "diverged"


@dataclass
class Hooks:
    """What a caller may attach to a run; none of it changes the result.

    Attributes:
        checkpoint: Called with (step, weights by name) at the steps in `checkpoints`.
        after_step: Called with (steps done, the run) after every update; may raise to stop.
        checkpoints: Steps whose weights are handed out.
    """

    checkpoint: Callable[[int, dict[str, Tensor]], None] = lambda step, weights: None
    after_step: Callable[[int, TrainingRun], None] = lambda step, run: None
    checkpoints: tuple[int, ...] = ()


@dataclass
class _Progress:
    step: int = 0
    rows: dict[int, Row] = field(default_factory=dict)


class TrainingRun:
    """One training trajectory that can be stopped at any step and resumed bit-equal.

    Args:
        config: A resolved run configuration (`lrtransfer.study.plan.run_config.RunConfig`).
        arrays: The prepared data set.
        device: Where to compute.

    Raises:
        ValueError: A batch or the measured subset is larger than the training set, or a run that
            is to take one pass is longer than that.
        UnknownRoleError: The parameterization lacks the role of a tensor.
    """

    def __init__(self, config: RunConfig, arrays: Arrays, device: torch.device) -> None:
        self.config, self.device = config, device
        dtype = PRECISIONS[config.precision]
        examples = training_examples(arrays, dtype, device, block=block_size(config.model))
        if (fewer := load("train_samples", config.train_samples)) is not None:
            examples = fewer(examples, config.train_samples, config.seed)
        self.examples: Examples = examples
        self.network = run_network(config, examples.in_features, examples.outputs, device)
        self.loss: Callable[[Tensor, Tensor], Tensor] = load("loss", config.loss)
        check_passes(config, len(self.examples))
        self.order = streams.BatchOrder(len(self.examples), config.batch_size, config.seed)
        self.augment: Callable[[Tensor, torch.Generator], Tensor] | None = load(
            "augmentation", config.augmentation
        )
        # A tuner sums over groups, so there each tensor has its own.
        groups = _groups(self.network) if config.tuner is None else list(_each(self.network))
        self.optimizer: torch.optim.Optimizer = load("optimizer", config.optimizer)(
            groups, **config.optimizer.options
        )
        if (fuse := load("fused", config.fused)) is not None:
            fuse(self.optimizer)
        self.learning_rates = LearningRates(config, self.network)
        self.tuned: TunedUpdates | None = None
        if (updates := load("tuned_updates", config.tuner)) is not None:
            self.tuned = updates(config.tuner, self.optimizer, config.steps)
        # A `replay.Replay`, which is made of such a run.
        self.replay: Any = None
        if (replay := load("replay", config.replay)) is not None:
            self.replay = replay(config, arrays, device)
        self.forward = self._passes(self.network.model)
        self.micro: MicroBatches | None = None
        if (pieces := load("micro_batch", config.micro_batch)) is not None:
            self.micro = pieces(config.micro_batch, self.network.model)
        self.losses = torch.full((config.steps,), torch.nan, dtype=dtype, device=device)
        self.progress = _Progress()
        self.cadence = Cadence(config.measure, config.steps, config.batch_size)
        measure = config.measure
        self.tolerance = measure.tolerance if measure else 0.01
        self.probes: dict[str, Probe] = {
            name: load("probe", name)() for name in (measure.probes if measure else ())
        }
        self.update: Update | None = None
        chosen = streams.subset(len(self.examples), measure.samples if measure else 1)
        self.subset: Batch = self.examples.batch(chosen)
        self._coming: tuple[int, Iterator[Batch]] | None = None

    def execute(self, hooks: Hooks) -> Log:
        """Train to the end or to divergence and return the log."""
        began = time.perf_counter()
        diverged = None
        self._visit(hooks)
        while self.progress.step < self.config.steps and diverged is None:
            self.update_once()
            if self._look():
                diverged = self._first_bad_step()
            if diverged is None:
                self._visit(hooks)
                hooks.after_step(self.progress.step, self)
        kept = self.progress.step if diverged is None else diverged - 1
        rows = {step: row for step, row in self.progress.rows.items() if step <= kept}
        learning_rates = [self.learning_rates.of_run(step) for step in range(kept)]
        if self.tuned is not None:
            learning_rates = self.tuned.learning_rates(kept)
            rows = {s: row | rows.get(s, {}) for s, row in self.tuned.rows(kept).items()}
        return Log(
            losses=self.losses[:kept].double().tolist(),
            learning_rates=learning_rates,
            rows=rows,
            diverged_step=diverged,
            measuring=self.cadence.spent,
            seconds=time.perf_counter() - began,
        )

    def set_rates(self) -> None:
        """Give the optimizer the learning rates of the next update."""
        for group in self.optimizer.param_groups:
            rate = self.learning_rates.of_tensor(group["name"], self.progress.step)
            group["lr"] = rate * group.get("rate_factor", 1.0)

    def update_once(self) -> None:
        """Take the next update."""
        step = self.progress.step
        self.set_rates()
        if self.replay is not None:
            self.replay.force(self.network.model, self.optimizer)
        inputs, targets = self._batch(step)
        if self.augment is not None:
            random = streams.generator("augmentation", self.config.seed, step)
            inputs = self.augment(inputs, random)
        self.update = Update(self._trained(), inputs) if self._is_kept(step + 1) else None
        if self.tuned is not None:
            loss = self.tuned.step(step, lambda: self._objective(inputs, targets))
        else:
            loss = self._descend(inputs, targets)
        self.losses[step] = loss.detach()
        self.progress.step = step + 1

    def _batch(self, step: int) -> Batch:
        """Return the samples of update `step`; those of the next ones may be read meanwhile."""
        if self._coming is None or self._coming[0] != step:
            order = map(self.order, range(step, self.config.steps))
            self._coming = (step, self.examples.batches(order))
        batches = self._coming[1]
        self._coming = (step + 1, batches)
        return next(batches)

    def _descend(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Take one step of the optimizer and return the loss before it."""
        self.optimizer.zero_grad()
        if self.micro is None:
            loss = self._objective(inputs, targets)
            loss.backward()  # type: ignore[no-untyped-call]
        else:
            loss = self.micro.gradient(self._objective, inputs, targets)
        self.optimizer.step()
        return loss

    def _objective(self, inputs: Tensor, targets: Tensor) -> Tensor:
        return self.loss(self.forward(inputs), targets)

    def _passes(self, model: nn.Module) -> Callable[[Tensor], Tensor]:
        """Return what an update's samples go through; what measures asks the network itself."""
        mode, precision = self.config.compile, self.config.precision
        forward = model if mode is None else torch.compile(model, mode=mode)
        mixed = load("bfloat16", precision if precision == "bfloat16" else None)
        return forward if mixed is None else mixed(forward, self.network.model)

    def _is_kept(self, step: int) -> bool:
        """Return whether a probe needs the update that leads to `step`."""
        needed = any(measured.needs_update for measured in self.probes.values())
        return needed and self.cadence.due(step)

    def _trained(self) -> dict[str, Tensor]:
        return {name: parameter.detach().clone() for name, parameter in self.network.trained}

    def _look(self) -> bool:
        step = self.progress.step
        # A tuner has waited for the loss already.
        interval = DIVERGENCE_INTERVAL if self.tuned is None else 1
        due = step % interval == 0 or self.cadence.due(step)
        return due or step == self.config.steps

    def _first_bad_step(self) -> int | None:
        bad = ~torch.isfinite(self.losses[: self.progress.step])
        return int(bad.nonzero()[0]) + 1 if bool(bad.any()) else None

    def _visit(self, hooks: Hooks) -> None:
        """Measure and hand out weights where the current step asks for it."""
        step = self.progress.step
        if step not in self.progress.rows and self.cadence.due(step):
            self.progress.rows[step] = self._measure(step)
        if step in hooks.checkpoints:
            hooks.checkpoint(step, self.weights())

    def _measure(self, step: int) -> Row:
        row: Row = {}
        for name, measured in self.probes.items():
            row |= measured.measure(self._seen(name, step))
        self.cadence.record_cost(sum(measured.gradients for measured in self.probes.values()))
        return row

    def _seen(self, probe: str, step: int) -> Measurement:
        """Return what a probe sees of the run as it stands."""
        return Measurement(
            model=self.network.model,
            loss=self.loss,
            inputs=self.subset[0],
            targets=self.subset[1],
            tolerance=self.tolerance,
            relative_rates=self.network.relative_rates,
            optimizer=self.optimizer,
            generator=streams.generator(f"probe/{probe}", self.config.seed, step),
            update=self.update,
            batch_size=self.config.batch_size,
        )

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of the weights by name."""
        model = self.network.model
        return {name: p.detach().clone() for name, p in model.state_dict().items()}

    def state(self) -> State:
        """Return all that resuming needs."""
        tensors = {f"model/{name}": value for name, value in self.weights().items()}
        tensors["losses"] = self.losses.clone()
        numbers: dict[str, Any] = {f"cadence/{k}": v for k, v in self.cadence.state().items()}
        for place, value in flattened("optimizer", self.optimizer.state_dict()["state"]):
            (tensors if isinstance(value, Tensor) else numbers)[place] = value
        for index, group in enumerate(self.optimizer.param_groups):
            if "step" in group:  # where an optimizer counts by group
                numbers[f"group/{index}"] = group["step"]
        if self.tuned is not None:
            plain, held = self.tuned.state()
            numbers |= {f"tuned/{name}": value for name, value in plain.items()}
            tensors |= {f"tuned/{name}": value for name, value in held.items()}
        if self.replay is not None:
            plain, held = self.replay.state()
            numbers |= {f"replay/{name}": value for name, value in plain.items()}
            tensors |= {f"replay/{name}": value for name, value in held.items()}
        for name, measured in self.probes.items():
            tensors |= {f"probe/{name}/{key}": v for key, v in measured.state().items()}
        return State(self.progress.step, dict(self.progress.rows), numbers, tensors)

    def load_state(self, state: State) -> None:
        """Go on from a state of the same configuration."""
        kinds = ("model", "optimizer", "group", "probe", "cadence", "tuned")
        parts: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
        for place, value in (state.tensors | state.numbers).items():
            kind, _, rest = place.partition("/")
            if kind in parts:
                parts[kind][rest] = value
        self.network.model.load_state_dict(parts["model"])
        self.losses.copy_(state.tensors["losses"])
        groups = self.optimizer.state_dict()["param_groups"]
        restored = {int(index): value for index, value in nested(parts["optimizer"]).items()}
        self.optimizer.load_state_dict({"state": restored, "param_groups": groups})
        for index, step in parts["group"].items():
            self.optimizer.param_groups[int(index)]["step"] = step
        if self.tuned is not None:
            self.tuned.load_state(parts["tuned"], self.device)
        if self.replay is not None:
            of_replay = [
                {k.removeprefix("replay/"): v for k, v in held.items() if k.startswith("replay/")}
                for held in (state.numbers, state.tensors)
            ]
            self.replay.load_state(state.step, *of_replay)
        for name, measured in self.probes.items():
            prefix = f"{name}/"
            own = {
                p.removeprefix(prefix): v for p, v in parts["probe"].items() if p.startswith(prefix)
            }
            measured.load_state({key: tensor.to(self.device) for key, tensor in own.items()})
        self.cadence.load_state(parts["cadence"])
        self.progress = _Progress(state.step, dict(state.rows))


def _groups(net: Network) -> list[dict[str, Any]]:
    """Return the trained tensors in the model's order, neighbours with equal numbers together.

    A group costs an optimizer as much as a small tensor. `name` is its first tensor's.
    """
    groups: list[dict[str, Any]] = []
    for own in _each(net):
        if groups and _told_by(groups[-1], net) == _told_by(own, net):
            groups[-1]["params"] += own["params"]
        else:
            groups.append(own)
    return groups


def _told_by(group: dict[str, Any], net: Network) -> list[Any]:
    """Return all that tells the updates of one group from another's."""
    # A warm-up that starts at the same factor stays the same.
    warmup = 1.0 if net.warmup is None else net.warmup(group["name"], 0)
    return [
        group["role"],
        warmup,
        *(group[f"relative_{it}"] for it in ("rate", "weight_decay", "epsilon")),
    ]


def _each(net: Network) -> Iterator[dict[str, Any]]:
    """Yield a parameter group for each trained tensor, with its own numbers."""
    for name, parameter in net.trained:
        scaled = net.scaled[name]
        yield {
            "params": [parameter],
            "name": name,
            "role": net.roles.tensors[name],
            "relative_rate": scaled.learning_rate,
            "relative_weight_decay": scaled.weight_decay,
            "relative_epsilon": scaled.epsilon,
        }


def check_passes(config: RunConfig, samples: int) -> None:
    """Refuse a run that is to take one pass and is longer than that.

    Raises:
        ValueError: It would see one of its `samples` training samples twice.
    """
    needed = config.steps * config.batch_size
    if config.one_pass and needed > samples:
        raise ValueError(
            f"{config.steps} steps of {config.batch_size} need {needed} samples for one "
            f"pass, but there are {samples}. Lower steps or batch_size."
        )
