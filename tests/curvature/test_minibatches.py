"""Random mini-batches."""

from itertools import islice

import pytest
import torch

from lrtransfer.curvature import mini_batches

X = torch.arange(10.0)[:, None]
Y = torch.arange(10)


def test_rows_of_inputs_and_targets_stay_together_and_differ() -> None:
    for x, y in islice(mini_batches((X, Y), 4), 20):
        assert torch.equal(x[:, 0].long(), y)
        assert len(set(y.tolist())) == 4


def test_every_sample_is_drawn_equally_often() -> None:
    drawn = torch.cat([y for _, y in islice(mini_batches((X, Y), 4), 500)])
    counts = drawn.bincount(minlength=10)
    assert (counts - 200).abs().max() < 55


def test_dicts_keep_what_is_not_per_sample() -> None:
    inputs = {"x": X, "causal": True, "table": torch.ones(3)}
    x, y = next(mini_batches((inputs, Y), 2))
    assert torch.equal(x["x"][:, 0].long(), y)
    assert x["causal"] is True
    assert len(x["table"]) == 3


def test_draws_repeat_for_one_seed_and_leave_the_global_random_state() -> None:
    state = torch.get_rng_state()
    one, other = (next(mini_batches((X, Y), 5))[1] for _ in range(2))
    assert torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("size", [0, 11])
def test_sizes_out_of_range_raise(size: int) -> None:
    with pytest.raises(ValueError, match="choose 1 to 10"):
        mini_batches((X, Y), size)


def test_targets_of_another_length_raise() -> None:
    with pytest.raises(ValueError, match="y has 9"):
        mini_batches((X, Y[:9]), 2)
