"""Which columns of anyone's table are what, and the error of all that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Names = str | Sequence[str]
Status = str | tuple[str, Iterable[object]]

#: Columns of what is returned; a size or tuned column of such a name would be hidden by it.
_TAKEN = frozenset(
    ("arm", "rate", "ci_low", "ci_high", "loss", "n_seeds", "side", "value", "refused")
)


class JudgeError(ValueError):
    """A table, or a question about it, that cannot be judged: the column and the remedy."""

    exit_status = 2


@dataclass(frozen=True)
class Roles:
    """Which columns of the table are what.

    Attributes:
        size: axes along which a net grows.
        rate: the learning rate.
        loss: what is to be small.
        seed: tells repetitions apart.
        arm: settings that are compared.
        status: column, and what counts as diverged there (None: all but `ok`).
        tuned: settings over which each rate's loss is minimised.
        maximize: whether the `loss` is to be large instead (an accuracy).
        effective: the effective learning rate that a run had, as another abscissa.
    """

    size: tuple[str, ...]
    rate: str
    loss: str
    seed: str | None = None
    arm: tuple[str, ...] = ()
    status: tuple[str, frozenset[str] | None] | None = None
    tuned: tuple[str, ...] = ()
    maximize: bool = False
    effective: str | None = None

    @classmethod
    def of(
        cls,
        size: Names,
        rate: str,
        loss: str,
        seed: str | None = None,
        *,
        arm: Names | None,
        status: Status | None,
        tuned: Names,
        maximize: bool,
        effective: str | None = None,
    ) -> Roles:
        """Return the roles as a caller names them.

        Raises:
            JudgeError: no size, or one column in two roles.
        """
        roles = cls(
            names(size),
            str(rate),
            str(loss),
            None if seed is None else str(seed),
            names(arm or ()),
            _status(status),
            names(tuned),
            bool(maximize),
            None if effective is None else str(effective),
        )
        if not roles.size:
            raise JudgeError("size names no column: give the one that says how large a net is")
        every = roles.columns()
        for name in every:
            if every.count(name) > 1:
                raise JudgeError(f"column {name!r} is given two roles: each needs its own column")
        for name in (*roles.size, *roles.tuned):
            if name in _TAKEN:
                raise JudgeError(
                    f"column {name!r} would be hidden by the {name!r} of the answer: rename it"
                )
        return roles

    def columns(self) -> list[str]:
        """Return every column that has a role."""
        single = [self.rate, self.loss, self.seed, self.status[0] if self.status else None]
        single.append(self.effective)
        return [*self.size, *(n for n in single if n is not None), *self.arm, *self.tuned]


def names(given: Names) -> tuple[str, ...]:
    """Return the column names of a text or of several."""
    return (given,) if isinstance(given, str) else tuple(map(str, given))


def _status(status: Status | None) -> tuple[str, frozenset[str] | None] | None:
    if status is None or isinstance(status, str):
        return None if status is None else (status, None)
    try:
        column, failed = status
        words = frozenset(map(str, [failed] if isinstance(failed, str) else failed))
    except (TypeError, ValueError):
        raise JudgeError('status is a column or ("state", ["failed", …])') from None
    return str(column), words
