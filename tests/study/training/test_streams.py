"""Independent random streams of one seed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrtransfer.study.training import streams


def test_an_epoch_shows_every_sample_once_up_to_the_partial_batch() -> None:
    order = streams.BatchOrder(samples=23, batch_size=5, seed=0)
    for epoch in range(3):
        shown = torch.cat([order(4 * epoch + place) for place in range(4)])
        assert len(set(shown.tolist())) == 20
        assert set(shown.tolist()) <= set(range(23))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    order, other = (streams.BatchOrder(50, 10, seed) for seed in (0, 1))
    assert not torch.equal(order(0), order(5))
    assert not torch.equal(order(0), other(0))


def test_any_step_can_be_asked_for_directly() -> None:
    order = streams.BatchOrder(23, 5, 0)
    in_turn = [order(step) for step in range(12)]
    for step in (11, 3, 0, 7):
        assert torch.equal(streams.BatchOrder(23, 5, 0)(step), in_turn[step])


def test_a_batch_may_be_the_whole_set_but_no_more() -> None:
    assert sorted(streams.BatchOrder(7, 7, 0)(3).tolist()) == list(range(7))
    with pytest.raises(ValueError, match=r"batch_size is 8, but there are 7.*Lower batch_size"):
        streams.BatchOrder(7, 8, 0)


def test_streams_seeds_and_positions_are_independent() -> None:
    kinds = ("initialisation", "order", "subset", "probe/sharpness", "probe/ntk", "spectrum/ntk")
    places = [(k, seed, *p) for k in kinds for seed in (0, 1) for p in ((), (0,), (1,), (0, 1))]
    drawn = [tuple(torch.randn(4, generator=streams.generator(*p)).tolist()) for p in places]
    # Positions () and (0,) name the same stream: numpy pads seeds with zeros.
    assert len(set(drawn)) >= len(kinds) * 2 * 3


def test_a_stream_is_the_same_on_every_call() -> None:
    first, again = (torch.rand(3, generator=streams.generator("order", 2, 3)) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize(
    ("stream", "number"),
    [
        ("initialisation", 0),
        ("order", 1),
        ("curvature", 2),
        ("subset", 3),
        ("augmentation", 4),
        ("samples", 1000),
        ("probe/sharpness", 0xEABDA3757561F2D5),
        ("spectrum/density", 0x07057F130854959E),
    ],
)
def test_a_stream_s_number_is_fixed_by_its_name_for_good(stream: str, number: int) -> None:
    words = np.random.SeedSequence([number, 5, 7]).generate_state(1, np.uint64)
    expected = torch.Generator().manual_seed(int(words[0]) & (2**63 - 1))
    own = torch.rand(3, generator=streams.generator(stream, 5, 7))
    assert torch.equal(own, torch.rand(3, generator=expected))


@pytest.mark.parametrize("stream", ["", "shuffling", "probe", "probe/", "other/order"])
def test_a_stream_outside_the_table_is_refused_with_those_there_are(stream: str) -> None:
    with pytest.raises(ValueError, match=r"no random stream.*order, .*probe/<name>"):
        streams.generator(stream, 0)


def test_the_subset_is_fixed_without_repeats_and_grows_by_its_size() -> None:
    large = streams.subset(30, 20)
    assert torch.equal(streams.subset(30, 8), large[:8])
    assert len(set(large.tolist())) == 20
    with pytest.raises(ValueError, match=r"measure\.samples is 31, but there are 30.*Lower it"):
        streams.subset(30, 31)
