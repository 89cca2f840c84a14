"""The verdicts on one's own model: layer by layer, in words and as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lrtransfer.coordinates.growth import CoordinateCheck, Judged
from lrtransfer.coordinates.sizes import QUANTITIES, Sizes

# An update whose interval ends below this loses half of it or more by four octaves of width.
_FADES = -0.25


@dataclass(frozen=True)
class Layer:
    """A module that owns tensors, with what was found of it.

    Attributes:
        name: Its name in the model; empty for the model itself.
        parameters: The tensors it owns, by name.
        coordinates: What was judged of it.
    """

    name: str
    parameters: tuple[str, ...]
    coordinates: tuple[Judged, ...]

    @property
    def stable(self) -> bool:
        """Whether none of its coordinates is shown to grow."""
        return all(judged.stable for judged in self.coordinates)

    @property
    def failing(self) -> tuple[str, ...]:
        """Parameters whose size at the start or own update grows with the width.

        A layer may grow without any: then its `change` comes from the layers before it.
        """
        grows = {j.coordinates.quantity for j in self.coordinates if not j.stable}
        alone = [name for name in self.parameters if f"own {name.rpartition('.')[2]}" in grows]
        return tuple(alone) or (self.parameters if grows & {"start", "own"} else ())

    @property
    def verdict(self) -> str:
        """`stable`, `fades` (stable, but its own update vanishes), or what grows."""
        grows = [j.coordinates.quantity for j in self.coordinates if not j.stable]
        if grows:
            of = f" ({', '.join(self.failing)})" if self.failing else ", by the layers before it"
            return f"grows: {', '.join(q for q in grows if q in QUANTITIES)}{of}"
        return "fades" if self._exponent("own").measured.high < _FADES else "stable"

    @property
    def exponents(self) -> list[str]:
        """The exponents of `start`, `own` and `change`, with half of their intervals."""
        return [self._exponent(quantity).exponent for quantity in QUANTITIES]

    def _exponent(self, quantity: str) -> Judged:
        return next(j for j in self.coordinates if j.coordinates.quantity == quantity)


@dataclass(frozen=True)
class ModelCheck(CoordinateCheck):
    """The judged coordinates of one's own model under one rule.

    Attributes:
        widths: N.
        sizes: Module and quantity -> RMS over coordinates, shape (seeds, widths).
        parameters: Module -> the tensors it owns, by name; also of modules that were not called.
    """

    widths: tuple[int, ...] = ()
    sizes: Sizes = field(default_factory=dict)
    parameters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def layers(self) -> list[Layer]:
        """The modules that own tensors, in the order of their calls."""
        found: dict[str, list[Judged]] = {}
        for judged in self.coordinates:
            found.setdefault(judged.coordinates.module, []).append(judged)
        return [Layer(name, self.parameters[name], tuple(own)) for name, own in found.items()]

    @property
    def failing(self) -> list[str]:
        """The parameters whose size at the start or own update grows with the width."""
        return [name for layer in self.layers for name in layer.failing]

    @property
    def unmeasured(self) -> list[str]:
        """Parameters of modules that were not called: nothing was seen of them."""
        seen = {judged.coordinates.module for judged in self.coordinates}
        return [n for module, own in self.parameters.items() if module not in seen for n in own]

    def figure(self, path: str | Path) -> Path:
        """Draw the sizes against the width, a panel for each quantity, and return the file's path.

        Args:
            path: A file that matplotlib can write, such as `coordinates.png`.
        """
        from lrtransfer.coordinates.figure import draw  # seaborn takes a second to load

        grows = {j.coordinates for j in self.coordinates if not j.stable}
        return draw(self.sizes, self.widths, grows, Path(path))

    def __str__(self) -> str:
        """Return a line for each layer with its exponents in width, and the verdict."""
        rows = [("layer", [*QUANTITIES], "verdict")]
        rows += [(own.name or "(model)", own.exponents, own.verdict) for own in self.layers]
        wide = max(len(name) for name, _, _ in rows)
        lines = [
            "  ".join([f"{name:<{wide}}", *(f"{e:>12}" for e in exponents), verdict])
            for name, exponents, verdict in rows
        ]
        if self.unmeasured:
            lines.append(f"not called, so not measured: {', '.join(self.unmeasured)}")
        verdict = "stable" if self.stable else f"unstable: {self.fastest}"
        return "\n".join([*lines, verdict])
