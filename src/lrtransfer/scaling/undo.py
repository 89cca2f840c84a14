"""What `parameterize` changes is changed whole or, after an error or Ctrl-C, not at all."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn


@contextmanager
def undone_on_error(
    model: nn.Module, generator: torch.Generator | None, *, weights: bool
) -> Iterator[None]:
    """Put back weights, forward hooks and random state if the block does not end.

    Args:
        model: The network.
        generator: What the block draws from; None is torch's own.
        weights: Whether the block changes weights; they are copied first, on the host.
    """
    source = torch.default_generator if generator is None else generator
    state = source.get_state()
    tables: list[tuple[MutableMapping[int, Any], dict[int, Any]]] = [
        (table, dict(table))
        for module in model.modules()
        for table in (
            module._forward_hooks,
            module._forward_pre_hooks,
            module._forward_pre_hooks_with_kwargs,
        )
    ]
    copies = [(p, p.detach().to("cpu", copy=True)) for p in model.parameters() if weights]
    try:
        yield
    except BaseException:
        for parameter, copied in copies:
            if not torch.equal(parameter.detach().cpu(), copied):  # a graph may hold the others
                parameter.detach().copy_(copied)
        for table, entries in tables:
            table.clear()
            table.update(entries)
        source.set_state(state)
        raise
