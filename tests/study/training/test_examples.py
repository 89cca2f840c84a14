"""Prepared arrays as samples: numbers with classes or numbers, and blocks of text."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lrtransfer.study.data import Arrays
from lrtransfer.study.training.examples import HeldExamples, training_examples

CPU = torch.device("cpu")


def examples(arrays: Arrays, block: int | None = None) -> HeldExamples:
    made = training_examples(arrays, torch.float64, CPU, block=block)
    assert isinstance(made, HeldExamples)
    return made


def stream(length: int, dtype: type = np.uint8) -> Arrays:
    tokens: np.ndarray = (np.arange(length) * 3 % 11).astype(dtype)
    return {"train_tokens": tokens, "test_tokens": np.array([1, 2], dtype=dtype)}


def test_classes_stay_whole_numbers_and_inputs_take_the_run_s_precision() -> None:
    inputs = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
    made = examples({"train_inputs": inputs, "train_targets": np.array([0, 3, 1, 2])})
    assert made.inputs.dtype == torch.float64
    assert made.inputs.tolist() == inputs.tolist()
    assert made.targets.dtype == torch.int64
    assert (made.in_features, made.outputs, len(made)) == (6, 4, 4)


def test_targets_that_are_numbers_are_outputs_in_the_run_s_precision() -> None:
    targets = np.array([[0.5, 1.0], [2.0, -1.0], [0.0, 0.25]], dtype=np.float32)
    made = examples({"train_inputs": np.eye(3, dtype=np.float32), "train_targets": targets})
    assert made.targets.dtype == torch.float64
    assert made.targets.tolist() == targets.tolist()
    assert (made.in_features, made.outputs) == (3, 2)


@pytest.mark.parametrize("block", [1, 3, 5])
def test_blocks_follow_each_other_and_targets_are_the_next_tokens(block: int) -> None:
    arrays = stream(17)
    made = examples(arrays, block)
    count = 16 // block
    assert made.inputs.shape == made.targets.shape == (count, block)
    tokens = arrays["train_tokens"].tolist()
    assert made.inputs.flatten().tolist() == tokens[: count * block]
    assert made.targets.flatten().tolist() == tokens[1 : count * block + 1]
    assert made.inputs.dtype == made.targets.dtype == torch.int64
    assert (made.in_features, len(made)) == (1, count)


def test_bytes_have_256_outputs_whatever_occurs() -> None:
    assert examples(stream(20, np.uint8), 4).outputs == 256


def test_the_vocabulary_of_other_tokens_counts_every_part() -> None:
    arrays = stream(20, np.int32)
    assert examples(arrays, 4).outputs == 11
    arrays["test_tokens"][1] = 41
    assert examples(arrays, 4).outputs == 42


def test_a_text_of_one_block_and_the_token_after_is_enough_and_a_shorter_one_is_refused() -> None:
    assert len(examples(stream(9), 8)) == 1
    with pytest.raises(ValueError, match=r"the text has 8 tokens; a block of 8 needs one more"):
        examples(stream(8), 8)


def test_data_of_another_kind_than_the_model_s_are_refused() -> None:
    with pytest.raises(ValueError, match=r"holds train_tokens.*needs train_inputs and train_t"):
        examples(stream(20))
    numbers: Arrays = {"train_inputs": np.eye(3, dtype=np.float32), "train_targets": np.arange(3)}
    with pytest.raises(ValueError, match=r"holds train_inputs.*this model needs train_tokens"):
        examples(numbers, block=4)
