"""A `parameterize` that is interrupted leaves everything as it was, or is done."""

from __future__ import annotations

import random
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import pytest
import torch
from torch import nn

import lrtransfer as lt

from .test_multipliers_that_never_act import Residual, X

FILES = ("parameterize.py", "affine.py", "undo.py", "hooks.py", "first_pass.py")


@cache
def narrow(width: int) -> nn.Module:
    with torch.device("meta"):  # draws nothing
        return Residual(width)


def scale(model: nn.Module, width: int, **changes: Any) -> None:
    lt.parameterize(
        model,
        "depth_mup",
        base=narrow(width // 2),
        optimizer="adamw",
        lr=0.1,
        layout=lt.Layout(branches="blocks.*", inside=[]),
        base_depth=1,
        **changes,
    )


def built(width: int, *, scaled: bool = True) -> nn.Module:
    torch.manual_seed(1)
    model = Residual(width)
    model.last.register_forward_hook(print)
    if scaled:
        scale(model, width)
    return model


def state(model: nn.Module) -> tuple[list[object], list[torch.Tensor]]:
    """Return what must not change: hooks with their order and keys, attributes; tensors."""
    facts: list[object] = [torch.is_grad_enabled()]
    for module in model.modules():
        facts += [sorted(vars(module)), list(module._forward_hooks.items())]
        facts += [list(module._forward_pre_hooks.items()), module._forward_pre_hooks_with_kwargs]
        facts = [dict(f) if isinstance(f, dict) else f for f in facts]
    tensors = [*model.parameters(), *model.buffers(), torch.get_rng_state()]
    return facts, [tensor.detach().clone() for tensor in tensors]


def same(
    one: tuple[list[object], list[torch.Tensor]], two: tuple[list[object], list[torch.Tensor]]
) -> bool:
    return one[0] == two[0] and all(map(torch.equal, one[1], two[1]))


def interrupted(model: nn.Module, width: int, line: int) -> bool:
    """Parameterize with Ctrl-C at the `line`-th line of our files; return whether it came."""
    left = line

    def trace(frame: Any, event: str, argument: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.endswith(FILES):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        scale(model, width)
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(former)
    return False


@pytest.mark.slow
@pytest.mark.parametrize("scaled", [pytest.param(False, marks=pytest.mark.long), True])
def test_ctrl_c_at_any_line_leaves_all_or_nothing_changed(scaled: bool) -> None:
    model = built(4, scaled=scaled)
    before = state(model)
    kept = 0
    for line in range(1, 10_000):
        if not interrupted(model, 4, line):
            break
        if same(state(model), before):
            kept += 1
        else:  # only once everything was done
            assert torch.is_grad_enabled()
            after = [p.detach() for p in model.parameters()]
            model = built(4, scaled=scaled)
            scale(model, 4)
            assert all(map(torch.equal, after, model.parameters()))
            model = built(4, scaled=scaled)
            before = state(model)
    assert kept > 100


@pytest.mark.parametrize(
    ("where", "changes"),
    [
        ("lrtransfer.scaling.parameterize.remove_multipliers", {}),
        ("lrtransfer.scaling.parameterize.register", {}),
        ("lrtransfer.scaling.parameterize.register", {"initialise": False}),
    ],
)
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_an_error_in_the_midst_of_a_second_call_is_undone(
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    changes: dict[str, Any],
    error: type[BaseException],
) -> None:
    model = built(8)
    before = state(model)
    with monkeypatch.context() as patched:
        patched.setattr(where, failing(error))
        with pytest.raises(error):
            scale(model, 8, **changes)
    assert same(state(model), before)


def test_a_generator_of_one_s_own_is_put_back_when_a_draw_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, generator = built(8), torch.Generator().manual_seed(3)
    before, own = state(model), generator.get_state()
    draw, calls = torch.randn, iter(range(100))

    def fails_at_the_third(*args: Any, **options: Any) -> torch.Tensor:
        if next(calls) == 2:
            raise MemoryError
        return draw(*args, **options)

    with monkeypatch.context() as patched:
        patched.setattr(torch, "randn", fails_at_the_third)
        with pytest.raises(MemoryError):
            scale(model, 8, seed=generator)
    assert same(state(model), before)
    assert torch.equal(generator.get_state(), own)


def failing(error: type[BaseException]) -> Callable[..., None]:
    def fail(*args: object) -> None:
        raise error

    return fail


@pytest.mark.long
@pytest.mark.parametrize("scaled", [False, True])
def test_a_hundred_interrupts_at_random_times_leave_all_or_nothing_changed(scaled: bool) -> None:
    width, clock, armed = 256, random.Random(0), False

    def alarm(*args: object) -> None:
        if armed:
            raise KeyboardInterrupt

    usual = min(timed(width, scaled=scaled) for _ in range(3))
    came = done = 0
    former = signal.signal(signal.SIGALRM, alarm)
    try:
        for _ in range(400):
            model = built(width, scaled=scaled)
            before = state(model)
            armed = True
            try:
                signal.setitimer(signal.ITIMER_REAL, clock.uniform(1e-5, usual))
                scale(model, width)
                armed = False
            except KeyboardInterrupt:
                armed = False
                came += 1
                if not same(state(model), before):
                    done += 1
                    assert torch.is_grad_enabled()
                    after = [p.detach() for p in model.parameters()]
                    model = built(width, scaled=scaled)
                    scale(model, width)
                    assert all(map(torch.equal, after, model.parameters()))
            if came == 100:
                break
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)
    assert came == 100
    assert done < 10


def timed(width: int, *, scaled: bool) -> float:
    model, start = built(width, scaled=scaled), time.perf_counter()
    scale(model, width)
    return time.perf_counter() - start


def test_two_threads_on_two_models_give_what_one_gives() -> None:
    def outputs(seed: int) -> torch.Tensor:
        model = Residual(32)
        scale(model, 32, seed=seed)
        return model(X).detach()  # type: ignore[no-any-return]

    alone = [outputs(seed) for seed in range(20)]
    with ThreadPoolExecutor(2) as pool:
        together = list(pool.map(outputs, range(20)))
    assert all(map(torch.equal, alone, together))
