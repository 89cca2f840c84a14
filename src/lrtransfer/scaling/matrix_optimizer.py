"""Optimizers of hidden matrices: what they step, in which form, and what AdamW steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor, nn

from lrtransfer.scaling.groups import OF_MATRICES, Group
from lrtransfer.scaling.layouts import Known, TensorLayout
from lrtransfer.scaling.matrices import Fused, Interleaved, form_of
from lrtransfer.scaling.names import expand_keys

# What torch.optim.Muon's orthogonal update is multiplied by; in optim/muon.py.
Factor = Literal["spectral", "original", "kimi"]
FACTORS = ("spectral", "original", "kimi")
_WITH_FACTOR = frozenset({"muon"})


@dataclass(frozen=True)
class MatrixOptimizer:
    """An optimizer of the hidden matrices, for `lrtransfer.parameterize(optimizer=…)`.

    `optimizer="muon"` is `optimizer=MatrixOptimizer("muon")`. Embeddings, readouts, gains and
    biases are AdamW's.

    Attributes:
        name: `muon`, `shampoo`, `soap`, `muonh` or `adamh`.
        factor: Of Muon: `spectral` √(out/in), the rate of which is the same at every width; or,
            by their formulas, `original` √max(1, out/in) and `kimi` 0.2·√max(out, in), whose
            rate falls as width^-½. Other packages use these words for other factors.
        rest_lr: AdamW's global learning rate; None takes the same as the matrices'.
        fused: Pattern of parameters -> of how many maps with inputs in common each consists (3 for
            queries, keys and values), or their numbers of outputs, or `Interleaved`.

    Raises:
        ValueError: The name is another one, a factor is told to an optimizer that has none, or the
            rate is not positive.
    """

    name: str
    factor: Factor | None = None
    rest_lr: float | None = None
    fused: Mapping[str, Fused] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in OF_MATRICES:
            raise ValueError(
                f"an optimizer of matrices is {self.name!r}. Give one of {', '.join(OF_MATRICES)}."
            )
        allowed = FACTORS if self.name in _WITH_FACTOR else ()
        if self.factor is not None and self.factor not in allowed:
            known = f"Give one of {', '.join(FACTORS)}" if allowed else "Leave it out"
            raise ValueError(f"factor is {self.factor!r} for {self.name}. {known}.")
        if self.rest_lr is not None and not self.rest_lr > 0:
            raise ValueError(f"rest_lr is {self.rest_lr}. Give a positive learning rate.")

    def divide(
        self,
        groups: Iterable[Group],
        model: nn.Module,
        known: Known,
        *,
        lr: float,
        fans: Mapping[str, tuple[int, int]],
    ) -> list[Group]:
        """Return the groups, those of hidden matrices by form, each with its `optimizer`.

        Args:
            groups: One for each role and set of equal numbers.
            model: The network.
            known: What the layouts say of it.
            lr: The global learning rate.
            fans: Parameter name -> fan-in and fan-out that the user gives.

        Raises:
            ValueError: A hidden tensor is no matrix, or may hold several and it is not told.
        """
        tensors = [name for name, _ in model.named_parameters(remove_duplicate=False)]
        fused = _fused(model, known) | expand_keys(self.fused, tensors, "fused")

        def form(name: str) -> dict[str, Any]:
            tensor, owner = model.get_parameter(name), model.get_submodule(name.rpartition(".")[0])
            said = known.tensors.get(name, TensorLayout()).axes
            return form_of(
                name, tensor, owner, said or _axes(name, tensor, fans[name]), fused.get(name)
            )

        found: list[Group] = []
        for group in groups:
            if group["role"] == "hidden":
                found += [self._matrices(group, part) for part in _by_form(group, form)]
            else:
                found.append(self._rest(group, lr))
        return found

    def _matrices(self, group: Group, part: Group) -> Group:
        own = {"optimizer": self.name} | ({"form": part["form"]} if part["form"] else {})
        if self.name in _WITH_FACTOR:
            own["factor"] = self.factor or "spectral"
        return group | {"params": part["params"], "names": part["names"]} | own

    def _rest(self, group: Group, lr: float) -> Group:
        if self.rest_lr is not None and not lr:
            raise ValueError(
                f"rest_lr is {self.rest_lr}, but lr is 0, and the rest's rates are kept relative "
                "to it. Give a positive lr."
            )
        ratio = 1.0 if self.rest_lr is None else self.rest_lr / lr
        return group | {
            "optimizer": "adamw",
            "lr": group["lr"] * ratio,
            "relative_rate": group["relative_rate"] * ratio,
        }


def _fused(model: nn.Module, known: Known) -> dict[str, Fused]:
    """Return the maps that the layouts know of: gates and values, queries, keys and values."""
    found: dict[str, Fused] = {}
    for name, said in known.tensors.items():
        if said.maps is not None:
            outputs = model.get_parameter(name).shape[said.axes.index("out")]
            woven = Interleaved(said.maps, outputs // said.maps)
            found[name] = woven if said.woven else said.maps
    for site in known.logits:
        name = f"{site.name}.weight"
        if site.part is not None and name in known.tensors:
            outputs = model.get_parameter(name).shape[known.tensors[name].axes.index("out")]
            maps, groups = site.maps(outputs) or (1, 1)
            found.setdefault(name, maps if groups == 1 else Interleaved(maps, groups))
    return found


def _axes(name: str, tensor: Tensor, fans: tuple[int, int]) -> tuple[str, ...]:
    """Return the meaning of the axes of a tensor of which only the fans are told."""
    stack = ("stack",) if tensor.ndim == 3 else ()
    sizes = tuple(tensor.shape[len(stack) :])
    if sizes in (fans, fans[::-1]):
        return (*stack, "out", "in") if sizes == fans[::-1] else (*stack, "in", "out")
    raise ValueError(
        f"{name!r} of shape {tuple(tensor.shape)} is neither a matrix of fans {fans} nor a stack. "
        "Say what its axes are in layout=lt.Layout(modules=…)."
    )


def _by_form(group: Group, form: Callable[[str], dict[str, Any]]) -> list[Group]:
    parts: dict[str, Group] = {}
    for name, parameter in zip(group["names"], group["params"], strict=True):
        own = form(name)
        part = parts.setdefault(repr(own), {"form": own, "params": [], "names": []})
        part["params"].append(parameter)
        part["names"].append(name)
    return list(parts.values())
