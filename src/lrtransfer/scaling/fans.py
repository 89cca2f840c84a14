"""Fan-in and fan-out of a tensor, from what the layouts say of its axes."""

from __future__ import annotations

from torch import Tensor, nn

from lrtransfer.scaling.apply import VECTOR_LIKE
from lrtransfer.scaling.layouts import TensorLayout, map_shape


def fans(
    name: str, tensor: Tensor, owner: nn.Module, role: str, said: TensorLayout
) -> tuple[int, int]:
    """Return the fan-in and the fan-out of a tensor, as the exponents of the table mean them.

    Args:
        name: The parameter's name, for the message.
        tensor: The parameter.
        owner: The module that holds it, for the message.
        role: Its role. A fan-in is 1 for what is looked up or added.
        said: What the layouts say of it.

    Raises:
        ValueError: A matrix that nothing tells the inputs of.

    Example:
        >>> from lrtransfer.scaling.fans import fans
        >>> from lrtransfer.scaling.layouts import TensorLayout
        >>> from torch import nn
        >>> layer = nn.Linear(4, 8)
        >>> fans("weight", layer.weight, layer, "hidden", TensorLayout(axes=("out", "in")))
        (4, 8)
    """
    sizes = dict(zip(said.axes, map_shape(owner, tensor), strict=False))
    if "rows" in sizes:
        return 1, sizes["out"]
    if tensor.ndim < 2 or tensor.numel() == 1 or role in VECTOR_LIKE or role == "scalar_gain":
        return 1, tensor.shape[-1] if role == "embedding" else 1
    if not {"in", "out"} <= sizes.keys():
        kind, leaf = type(owner).__name__, name.rpartition(".")[2]
        raise ValueError(
            f"nothing tells which axes of {name!r}, of shape {tuple(tensor.shape)} in a {kind}, "
            f'are inputs. Give layout=lt.Layout(modules={{"{kind}": {{"tensors": '
            f'{{"{leaf}": "out in"}}}}}}), or layout=lt.Layout(fans={{"{name}": (fan_in, '
            "fan_out)})."
        )
    receptive = tensor.shape[len(said.axes) :].numel()
    return sizes["in"] * receptive, sizes["out"] * receptive
