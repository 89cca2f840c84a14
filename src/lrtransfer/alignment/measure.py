"""One forward pass at the weights before an update, with sums taken in every layer."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from lrtransfer.alignment.layers import WeightLayer, weight_layers
from lrtransfer.alignment.quantities import Alignment
from lrtransfer.curvature.batches import read
from lrtransfer.curvature.surroundings import LOCK, RepeatedDraws

Inputs: TypeAlias = Tensor | Mapping[str, Any]
"""What the model is called with: a tensor or a dict."""


def measure(
    model: nn.Module,
    previous: Mapping[str, Tensor],
    batch_inputs: Inputs | Iterable[Inputs],
    *,
    skip: Collection[str] = (),
) -> dict[str, Alignment]:
    """Return the alignment of every layer's weight and last update with its inputs on a batch.

    W is the weight before the update and ΔW all that the update did, weight decay included
    (`Alignment.without_decay` takes it out). X is what reaches the layer in the network
    before the update. On the update's own batch α_ΔW has the samples' alignment with their own
    part of ΔW; a held-out batch lacks it.

    The pass runs without gradient, in the parameters' precision (at least float32, autocast off),
    uncompiled, in the model's train or eval mode, on copies of its buffers and of the random state;
    dropout draws masks of its own. Nothing is recomputed, so that activation checkpointing counts
    once; a module that is called several times has the columns of all calls in X. Besides
    the pass it costs two products of each layer.

    Args:
        model: The network after the update; data-parallel wrappers off.
        previous: Parameter name -> a copy of it from before the update, as `named_parameters`
            has them. A layer whose weight it lacks is frozen, and is not measured.
        batch_inputs: x, or chunks of a batch whose sums are taken together.
        skip: Names of weights that the forward pass does not use through their module.

    Returns:
        Name of the weight -> its quantities. A weight shared by two modules (an embedding and a
        readout) is there under both names.

    Raises:
        ValueError: `previous` does not fit the model, or no layer is in it; there is no batch;
            a layer has no defined WX.
        RuntimeError: A layer was not called: its module is bypassed.

    Example:
        >>> import torch
        >>> from torch import nn
        >>> model, x = nn.Linear(2, 1, bias=False), torch.eye(2)
        >>> previous = {"weight": model.weight.detach() / 2}
        >>> round(measure(model, previous, x)["weight"].relative_update, 4)
        1.0
    """
    weights = _weights(model, previous)
    sums = list(_layer_sums(model, weights, skip))
    if not sums:
        raise ValueError(
            "previous holds the weight of no linear, convolutional or embedding layer. Copy "
            "named_parameters() before the update."
        )
    chunks = [batch_inputs] if isinstance(batch_inputs, Tensor | Mapping) else read(batch_inputs)
    if not chunks:
        raise ValueError("batch_inputs holds no batch. Give x, or a list of chunks.")
    buffers = dict(model.named_buffers())
    with _session(model), ExitStack() as hooks:
        for layer in sums:
            handle = layer.layer.module.register_forward_pre_hook(layer, with_kwargs=True)
            hooks.callback(handle.remove)
        for chunk in chunks:
            copies = {name: buffer.clone() for name, buffer in buffers.items()}
            torch.func.functional_call(model, {**copies, **weights}, (chunk,))
    return {layer.layer.name: layer.result() for layer in sums}


@dataclass
class _LayerSums:
    """A forward pre-hook of one layer that adds up ‖X‖², ‖WX‖², ‖ΔWX‖² and ⟨WX, ΔWX⟩."""

    layer: WeightLayer
    before: Tensor
    update: Tensor
    totals: Tensor
    samples: int = 0

    def __call__(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        inputs: Tensor = args[0] if args else kwargs["input"]
        outputs = self.layer.outputs(inputs, self.before)
        change = self.layer.outputs(inputs, self.update)
        self.totals += torch.stack(
            [
                self.layer.squared_inputs(inputs, self.before.dtype),
                _dot(outputs, outputs),
                _dot(change, change),
                _dot(outputs, change),
            ]
        )
        rows = self.before.shape[1 if isinstance(module, nn.Embedding) else 0]
        self.samples += outputs.numel() // rows

    def result(self) -> Alignment:
        if not self.samples:
            raise RuntimeError(
                f"the module of {self.layer.name!r} was not called by the forward pass, which uses "
                f"the weight in another way. Leave it out with skip=[{self.layer.name!r}]."
            )
        inputs, output, change, output_dot_change = self.totals.tolist()
        weight, update, dot = torch.stack(
            [
                _dot(self.before, self.before),
                _dot(self.update, self.update),
                _dot(self.before, self.update),
            ]
        ).tolist()
        return Alignment(
            fan_in=self.layer.fan_in,
            samples=self.samples,
            entries=self.before.numel(),
            inputs=inputs,
            weight=weight,
            update=update,
            weight_dot_update=dot,
            output=output,
            change=change,
            output_dot_change=output_dot_change,
        )


def _weights(model: nn.Module, previous: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return `previous` where the model computes, each tied tensor under one name."""
    parameters = dict(model.named_parameters(remove_duplicate=False))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {}
    for name, tensor in previous.items():
        if name not in parameters or tensor.shape != parameters[name].shape:
            raise ValueError(
                f"previous[{name!r}] has shape {tuple(tensor.shape)}; the model has no such "
                "parameter. Copy named_parameters() before the update."
            )
        found[names[id(parameters[name])]] = tensor.detach().to(parameters[name])
    return found


def _layer_sums(
    model: nn.Module, weights: Mapping[str, Tensor], skip: Collection[str]
) -> Iterator[_LayerSums]:
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for layer in weight_layers(model, skip):
        name = names[id(layer.weight)]
        if name not in weights:
            continue
        precision = torch.promote_types(layer.weight.dtype, torch.float32)
        before = weights[name].to(precision)
        update = layer.weight.detach().to(precision) - before
        totals = torch.zeros(4, dtype=torch.float64, device=update.device)
        yield _LayerSums(layer, before, update, totals)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    return (one * other).sum(dtype=torch.float64)


@contextmanager
def _session(model: nn.Module) -> Iterator[None]:
    devices = {parameter.device for parameter in model.parameters()}
    with ExitStack() as stack:
        stack.enter_context(LOCK)
        draws = RepeatedDraws([device for device in devices if device.type == "cuda"])
        stack.enter_context(draws.session())
        stack.enter_context(torch.no_grad())
        for kind in {device.type for device in devices}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        if any(
            m._compiled_call_impl is not None or "_orig_mod" in m._modules for m in model.modules()
        ):
            # Compiled code does not see hooks that are added to it.
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        yield
