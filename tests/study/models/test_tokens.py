"""Checks of token inputs."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.study.models.tokens import check_block, check_tokens


def test_tokens_up_to_the_block_size_pass() -> None:
    check_tokens(torch.zeros(2, 5, dtype=torch.int64), 5)
    check_block(1)


@pytest.mark.parametrize(
    "tokens", [torch.zeros(2, 5), torch.zeros(5, dtype=torch.int64)], ids=["floats", "one axis"]
)
def test_what_is_not_token_numbers_is_refused(tokens: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"Give int64 tokens \(n, T\)"):
        check_tokens(tokens, 5)


def test_a_sequence_beyond_the_block_is_refused() -> None:
    with pytest.raises(ValueError, match="6 tokens, more than block_size 5"):
        check_tokens(torch.zeros(2, 6, dtype=torch.int64), 5)


def test_a_block_of_no_tokens_is_refused() -> None:
    with pytest.raises(ValueError, match="block_size is 0"):
        check_block(0)
