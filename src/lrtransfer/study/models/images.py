"""From flat or shaped inputs to images and patches."""

from __future__ import annotations

from torch import Tensor


def check_image(in_features: int, channels: int, image_size: int) -> None:
    """Check that an image of the given sizes has `in_features` numbers.

    Raises:
        ValueError: It has more or fewer.
    """
    if channels * image_size**2 != in_features:
        raise ValueError(
            f"channels {channels} × image_size {image_size}² is {channels * image_size**2}, but "
            f"the data has in_features {in_features}. Set channels and image_size to the data's."
        )


def as_images(inputs: Tensor, channels: int, image_size: int) -> Tensor:
    """Return inputs of shape (n, …) as images, shape (n, channels, image_size, image_size)."""
    return inputs.reshape(len(inputs), channels, image_size, image_size)


def count_patches(image_size: int, patch: int) -> int:
    """Return the number of square patches of side `patch` in an image.

    Raises:
        ValueError: `patch` does not divide `image_size`.
    """
    if patch < 1 or image_size % patch:
        raise ValueError(
            f"patch is {patch}, which does not divide image_size {image_size}. Give a divisor."
        )
    return int((image_size // patch) ** 2)


def as_patches(images: Tensor, patch: int) -> Tensor:
    """Return images (n, c, s, s) as patches, shape (n, (s/p)², c·p²), row by row."""
    n, channels, size, _ = images.shape
    side = size // patch
    tiles = images.reshape(n, channels, side, patch, side, patch).permute(0, 2, 4, 1, 3, 5)
    return tiles.reshape(n, side**2, channels * patch**2)
