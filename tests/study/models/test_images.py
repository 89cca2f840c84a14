"""Images and patches."""

from __future__ import annotations

import pytest
import torch

from lrtransfer.study.models.images import as_images, as_patches, check_image, count_patches


def test_flat_and_shaped_inputs_become_the_same_images() -> None:
    images = torch.arange(2 * 3 * 4 * 4).view(2, 3, 4, 4)
    assert torch.equal(as_images(images.flatten(1), 3, 4), images)
    assert torch.equal(as_images(images, 3, 4), images)


def test_patches_go_row_by_row_and_hold_channel_row_column() -> None:
    images = torch.arange(2 * 3 * 6 * 6).view(2, 3, 6, 6)
    patches = as_patches(images, 2)
    assert patches.shape == (2, 9, 12)
    for i in range(9):
        row, column = 2 * (i // 3), 2 * (i % 3)
        expected = images[:, :, row : row + 2, column : column + 2].flatten(1)
        assert torch.equal(patches[:, i], expected)


def test_an_image_that_does_not_fit_the_data_is_refused() -> None:
    check_image(3072, 3, 32)
    with pytest.raises(ValueError, match=r"channels 1 × image_size 28² is 784, but .* 3072"):
        check_image(3072, 1, 28)


@pytest.mark.parametrize("patch", [0, 5])
def test_a_patch_that_does_not_divide_the_image_is_refused(patch: int) -> None:
    assert count_patches(28, 4) == 49
    with pytest.raises(ValueError, match=f"patch is {patch}, which does not divide image_size 28"):
        count_patches(28, patch)
