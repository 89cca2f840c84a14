"""Random crop and flip: every output is one of the shifted, perhaps mirrored, inputs."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lrtransfer.study.training.augmentation import PADDING, crop_flip


def random(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def images(count: int = 200, height: int = 6, width: int = 9) -> Tensor:
    """Return images without zeros, whose every pixel is a number of its own."""
    shape = (count, 2, height, width)
    return 1 + torch.arange(torch.Size(shape).numel(), dtype=torch.float64).view(shape)


def placed(image: Tensor, down: int, right: int, mirrored: bool) -> Tensor:
    """Return what is seen of an image through a window moved by (down, right) pixels."""
    seen = torch.zeros_like(image)
    height, width = image.shape[-2:]
    for row in range(height):
        for column in range(width):
            source = (row + down, column + right)
            if 0 <= source[0] < height and 0 <= source[1] < width:
                seen[:, row, column] = image[:, source[0], source[1]]
    return seen.flip(-1) if mirrored else seen


def placement(image: Tensor, output: Tensor) -> tuple[int, int, bool]:
    """Return the one shift and mirroring that turns an image into an output."""
    shifts = range(-PADDING, PADDING + 1)
    found = [
        (down, right, mirrored)
        for down in shifts
        for right in shifts
        for mirrored in (False, True)
        if torch.equal(placed(image, down, right, mirrored), output)
    ]
    assert len(found) == 1
    return found[0]


def test_each_output_is_its_input_shifted_over_zeros_and_perhaps_mirrored() -> None:
    given = images(24)
    made = crop_flip(given, random(0))
    assert made.shape == given.shape
    assert made.dtype == given.dtype
    places = [placement(i, o) for i, o in zip(given, made, strict=True)]
    assert len(set(places)) > 18, "samples have shifts of their own"


def test_all_shifts_and_both_sides_occur_equally_often() -> None:
    """A corner pixel tells the window's place: 4,000 images, nine rows and columns, two sides."""
    height, width, count = 9, 9, 4000
    given = torch.zeros(count, 1, height, width)
    given[:, 0, 4, 4] = 1.0  # the centre stays in sight of every window
    given[:, 0, 4, 3] = 0.5  # its left neighbour is on the right in a mirrored image
    made = crop_flip(given, random(1))
    centre = (made == 1.0).nonzero()
    assert len(centre) == count
    rows = torch.bincount(centre[:, 2], minlength=height) / count
    columns = torch.bincount(centre[:, 3], minlength=width) / count
    # Five standard deviations of a share of 1/9.
    tolerance = 5 * (1 / 9 * 8 / 9 / count) ** 0.5
    assert (rows - 1 / 9).abs().max() < tolerance
    assert (columns - 1 / 9).abs().max() < tolerance
    inside = centre[:, 3] > 0
    left = made[centre[inside, 0], 0, centre[inside, 2], centre[inside, 3] - 1] == 0.5
    assert left.double().mean().item() == pytest.approx(0.5, abs=0.06)


def test_a_generator_s_state_means_the_same_images() -> None:
    given = images(20)
    first, again, other = (crop_flip(given, random(seed)) for seed in (5, 5, 6))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_neither_the_inputs_nor_the_global_random_state_change() -> None:
    given, state = images(8), torch.get_rng_state()
    crop_flip(given, random(0))
    assert torch.equal(given, images(8))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("shape", [(4, 25), (4, 5, 5)])
def test_inputs_that_are_no_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"crop_flip needs images .*Set augmentation: none"):
        crop_flip(torch.ones(shape), random(0))
