"""What a study is written in: names, texts, axes, numbers that a machine can bear, sections."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from lrtransfer.study.plan.axes import LONGEST

# Steer a terminal, or turn the order of letters around.
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Section(BaseModel):
    """A mapping whose fields are known and whose types are strict."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=()
    )


def printable(text: str) -> str:
    """Return the text, which may hold no control characters but line breaks and tabs."""
    if found := _STEERING.search(text):
        raise ValueError(f"holds the control character U+{ord(found[0]):04X}. Remove it.")
    return text


def distinct(values: list[Any]) -> list[Any]:
    """Return the values, none of which may stand twice."""
    if len(set(values)) != len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise ValueError(f"{twice!r} stands twice. Keep each value once.")
    return values


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]
Printable = Annotated[str, AfterValidator(printable)]
Text = Annotated[str, Field(min_length=1), AfterValidator(printable)]
# Matplotlib leaves what begins with an underscore out of its legends.
Label = Annotated[
    str, Field(min_length=1, max_length=40, pattern="^[^_]"), AfterValidator(printable)
]
Scale = Literal["smoke", "laptop", "gpu", "paper"]
Count = Annotated[int, Field(ge=0, lt=2**32)]
Positive = Annotated[int, Field(gt=0, le=10**9)]
Megabytes = Annotated[int, Field(gt=0, le=10**8)]
Minutes = Annotated[int, Field(gt=0, le=10**6)]
Rate = Annotated[float, Field(gt=0.0, le=1e20)]
Group = Literal["core", "extra"]
Precision = Literal["float32", "float64", "bfloat16"]
CompileMode = Literal["default", "reduce-overhead", "max-autotune"]
Augmentation = Literal["none", "crop_flip"]
Spacing = Literal["geometric", "linear"]
Trained = Literal["all", "output"]
DecayRuleName = Literal["standard", "independent", "power", "lr_independent", "none"]
GroupWarmupName = Literal["exponential"]
HorizonRule = Literal["sde", "root_batch", "hyper_p"]
Option = Annotated[int, Field(ge=-(2**63), lt=2**63)] | float | bool | Printable
Options = dict[str, Option]
Names = Annotated[list[Name], AfterValidator(distinct)]
Item = TypeVar("Item")
Axis = Annotated[list[Item], Field(min_length=1, max_length=LONGEST), AfterValidator(distinct)]
Widths = Axis[Annotated[int, Field(gt=0, le=10**6)]]
Depths = Axis[Annotated[int, Field(gt=0, le=LONGEST)]]
