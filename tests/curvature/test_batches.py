"""What counts as a batch."""

import threading
from typing import Any

import pytest
import torch

from lrtransfer.curvature.batches import (
    chunks_of,
    input_chunks_of,
    labelled_chunks_of,
    one_by_one,
    sample_count,
    weight_of,
)

X, Y = torch.zeros(4, 2), torch.zeros(4)


@pytest.mark.parametrize("batch", [(X, Y), [X, Y], ({"x": X}, Y)])
def test_a_pair_is_one_chunk(batch: Any) -> None:
    assert len(chunks_of(batch)) == 1


@pytest.mark.parametrize("batch", [[(X, Y), (X, Y)], ([X, Y], [X, Y]), iter([(X, Y), (X, Y)])])
def test_pairs_are_chunks(batch: Any) -> None:
    assert len(chunks_of(batch)) == 2


@pytest.mark.parametrize("batch", [X, {"x": X}, [], [X, X, X], [(X, Y, Y)]])
def test_anything_else_raises(batch: Any) -> None:
    with pytest.raises(ValueError, match=r"batch must be \(x, y\)"):
        chunks_of(batch)


def test_inputs_alone_may_be_chunked_in_a_list() -> None:
    assert len(input_chunks_of(X)) == 1
    assert len(input_chunks_of([X, X])) == 2


@pytest.mark.parametrize("inputs", [(X, Y), [], [(X, Y)]])
def test_a_pair_in_place_of_inputs_raises(inputs: Any) -> None:
    with pytest.raises(ValueError, match="pass x"):
        input_chunks_of(inputs)


def test_samples_are_counted_along_the_first_axis_of_the_first_tensor() -> None:
    assert sample_count(X) == 4
    assert sample_count({"causal": True, "x": X}) == 4


@pytest.mark.parametrize("inputs", [torch.tensor(1.0), torch.zeros(0, 2), {"causal": True}])
def test_inputs_without_samples_raise(inputs: Any) -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        sample_count(inputs)


@pytest.mark.parametrize("other_threads", [False, True])
def test_items_draw_on_from_one_another_and_the_random_state_is_put_back(
    other_threads: bool,
) -> None:
    done = threading.Event()
    if other_threads:
        threading.Thread(target=done.wait).start()
    torch.manual_seed(3)
    expected = torch.rand(4).tolist()
    torch.manual_seed(3)
    drawn = []
    for item in one_by_one(torch.rand(1) for _ in range(4)):
        drawn.append(item.item())
        assert torch.rand(1).item() == expected[len(drawn) - 1]
    done.set()
    assert drawn == expected


LABELS = torch.tensor([[1, 2, -100], [3, -100, -100]])
MASK = torch.tensor([[1, 1, 1], [1, 0, 0]])


@pytest.mark.parametrize(
    ("inputs", "targets", "shifted", "weight"),
    [
        (X, Y, False, 4),
        (X, torch.zeros(4, 3, dtype=torch.long), False, 12),
        ({"x": LABELS}, LABELS, False, 3),
        ({"x": LABELS, "labels": LABELS}, None, False, 3),
        ({"x": LABELS, "labels": LABELS}, None, True, 1),
        ({"x": LABELS, "attention_mask": MASK}, None, False, 4),
        ({"x": LABELS, "attention_mask": MASK}, torch.zeros(2, 3, 5), False, 4),
        ({"x": LABELS, "attention_mask": MASK}, torch.zeros(2), False, 2),
        ({"x": LABELS, "attention_mask": MASK}, torch.tensor([0, 1]), False, 2),
    ],
)
def test_a_chunk_weighs_its_labels_else_its_tokens_else_its_samples(
    inputs: Any, targets: Any, shifted: bool, weight: int
) -> None:
    assert weight_of(inputs, targets, shifted=shifted) == weight


def test_a_chunk_in_which_nothing_counts_raises() -> None:
    with pytest.raises(ValueError, match="no label or token that counts"):
        weight_of(X, torch.full((4,), -100))


def test_a_model_that_returns_its_loss_takes_mappings() -> None:
    assert len(labelled_chunks_of({"x": X})) == 1
    assert len(labelled_chunks_of(iter([{"x": X}, {"x": X}]))) == 2
    bad: tuple[Any, ...] = (X, (X, Y), [])
    for batch in bad:
        with pytest.raises(ValueError, match="mapping with labels"):
            labelled_chunks_of(batch)
