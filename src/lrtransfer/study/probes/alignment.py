"""Alignment of weights and updates with every layer's inputs, at the last update."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from lrtransfer.alignment import (
    Alignment,
    InseparableDecayError,
    decay_shares,
    measure,
    weight_layers,
)
from lrtransfer.study.probes import Measurement
from lrtransfer.study.probes.memory import Stateless
from lrtransfer.study.probes.pooled import geometric_mean, hidden, table

_ALL = (
    "weight_alignment",
    "update_alignment",
    "alignment_ratio",
    "relative_update",
    "relative_change",
    "weight_rms",
)
_HELD_OUT = ("weight_alignment", "update_alignment", "alignment_ratio", "relative_change")
_WITHOUT_DECAY = ("update_alignment", "alignment_ratio", "relative_update", "relative_change")
_COLUMNS = (
    *_ALL,
    *(f"{quantity}_held_out" for quantity in _HELD_OUT),
    *(f"{quantity}_without_decay" for quantity in _WITHOUT_DECAY),
)


class AlignmentProbe(Stateless):
    """Columns `<quantity>/<weight>` of the update that led to this step (Kosson et al. 2025).

    The quantities are `weight_alignment` α_W, `update_alignment` α_ΔW, `alignment_ratio`,
    `relative_update` ‖ΔW‖/‖W‖, `relative_change` ‖ΔWX‖/‖WX‖ and `weight_rms`, with W and X of
    the network before the update, on the update's batch. ΔW includes weight decay;
    `<quantity>_without_decay` excludes it, and is NaN where the optimizer does not keep it apart.
    `<quantity>_held_out` is on the fixed subset, which the update saw by chance at most. Weights
    are as the optimizer holds them: a forward multiplier is in `weight_rms` alone, which it
    would scale. Before the first update every value is NaN.

    A column `<quantity>` is the geometric mean over the hidden weights, for a model that tells
    its roles, and so are `hidden_rate` and `hidden_share`, the learning rate of the update and
    the share of the weights that it took away as decay. `layer_samples` B of a whole batch and
    `layer_fan_in` C are of the hidden layer with the fewest samples per input.

    Costs two forward passes of as many samples as the subset has: a part of the batch has the
    whole batch's alignment in the mean, for each of its samples has its own part in the update.
    """

    needs_update = True
    # Twice a forward pass with two further products in every layer.
    gradients = 2.0

    def measure(self, at: Measurement) -> dict[str, float]:
        """Pass a part of the batch, and the subset, through the network before the update."""
        hidden_weights = hidden(at.model)
        if at.update is None:
            trained = {id(p) for p in at.model.parameters() if p.requires_grad}
            layers = [w.name for w in weight_layers(at.model) if id(w.weight) in trained]
            unknown = {name: dict.fromkeys(_COLUMNS, math.nan) for name in layers}
            return table(unknown, hidden_weights)
        part = at.update.inputs[: len(at.inputs)]
        on_batch = measure(at.model, at.update.previous, part)
        held_out = measure(at.model, at.update.previous, at.inputs)
        apart = _without_decay(on_batch, at)
        found = {
            name: _quantities(own, held_out[name], apart.get(name))
            for name, own in on_batch.items()
        }
        own = {name: layer for name, layer in on_batch.items() if name in hidden_weights}
        regime = _regime(own.values(), len(at.update.inputs) / len(part))
        return table(found, hidden_weights) | regime | _settings(own, at)


def _quantities(own: Alignment, held_out: Alignment, apart: Alignment | None) -> dict[str, float]:
    values = [getattr(own, quantity) for quantity in _ALL]
    values += [getattr(held_out, quantity) for quantity in _HELD_OUT]
    values += [getattr(apart, quantity) if apart else math.nan for quantity in _WITHOUT_DECAY]
    return dict(zip(_COLUMNS, values, strict=True))


def _regime(layers: Iterable[Alignment], batch_over_part: float) -> dict[str, float]:
    """Return B and C of the layer with the fewest samples per input."""
    layer = min(layers, key=lambda found: found.samples / found.fan_in, default=None)
    if layer is None:
        return {}
    return {
        "layer_samples": layer.samples * batch_over_part,
        "layer_fan_in": float(layer.fan_in),
    }


def _settings(names: Collection[str], at: Measurement) -> dict[str, float]:
    """Return the learning rate and the share of decay of the hidden weights' last update."""
    if not names:
        return {}
    rates = {id(p): group["lr"] for group in at.optimizer.param_groups for p in group["params"]}
    parameters = dict(at.model.named_parameters())
    try:
        shares = decay_shares(at.model, at.optimizer)
    except InseparableDecayError:
        shares = dict.fromkeys(names, math.nan)
    return {
        "hidden_rate": geometric_mean(rates[id(parameters[name])] for name in names),
        "hidden_share": sum(shares[name] for name in names) / len(names),
    }


def _without_decay(found: Mapping[str, Alignment], at: Measurement) -> Mapping[str, Alignment]:
    try:
        shares = decay_shares(at.model, at.optimizer)
    except InseparableDecayError:
        return {}
    return {name: own.without_decay(shares[name]) for name, own in found.items()}


PRICE = 2.5
COLUMNS = {
    "weight_alignment": ("phases",),
    "update_alignment": (),
    "update_alignment_without_decay": ("phases",),
    "alignment_ratio": (),
    "alignment_ratio_without_decay": ("phases", "predictor"),
    "alignment_ratio_held_out": ("phases",),
    "relative_update": (),
    "relative_update_without_decay": ("phases", "predictor"),
    "relative_change": (),
    "relative_change_without_decay": ("phases", "predictor"),
    "weight_rms": ("phases",),
    "weight_alignment_held_out": (),
    "update_alignment_held_out": (),
    "relative_change_held_out": (),
    "layer_samples": (),
    "layer_fan_in": (),
    "hidden_rate": (),
    "hidden_share": (),
}
PROBE = AlignmentProbe
