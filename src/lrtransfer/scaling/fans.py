"""Fan-in and fan-out of a tensor, from the module that holds it."""

from __future__ import annotations

from torch import Tensor, nn

from lrtransfer.scaling.apply import VECTOR_LIKE

# Modules whose tensors of two or more dimensions are (out, in, …).
MATRIX_OWNERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.RNNBase, nn.MultiheadAttention)
TABLES = (nn.Embedding, nn.EmbeddingBag)


def fans(name: str, tensor: Tensor, owner: nn.Module, role: str) -> tuple[int, int]:
    """Return the fan-in and the fan-out of a tensor, as the exponents of the table mean them.

    Args:
        name: The parameter's name, for the message.
        tensor: The parameter.
        owner: The module that holds it.
        role: Its role. A fan-in is 1 for what is looked up or added.

    Raises:
        ValueError: A matrix of a module that does not tell which of its dimensions are inputs.

    Example:
        >>> from lrtransfer.scaling.fans import fans
        >>> from torch import nn
        >>> layer = nn.Linear(4, 8)
        >>> fans("weight", layer.weight, layer, "hidden")
        (4, 8)
    """
    if isinstance(owner, TABLES):
        return 1, tensor.shape[-1]
    if tensor.ndim < 2 or role in VECTOR_LIKE or role == "scalar_gain":
        return 1, tensor.shape[-1] if role == "embedding" else 1
    if not isinstance(owner, MATRIX_OWNERS):
        raise ValueError(
            f"{name!r} of shape {tuple(tensor.shape)} lies in a {type(owner).__name__}, which does "
            f"not tell which dimensions are inputs. Give fans={{{name!r}: (fan_in, fan_out)}}."
        )
    receptive = tensor.shape[2:].numel()
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive
