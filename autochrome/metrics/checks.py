"""What every metric asks of its pictures, said once."""

from torch import Tensor

from autochrome.errors import InputError


def require_rgb_pair(prediction: Tensor, reference: Tensor) -> None:
    """Two float sRGB pictures or batches `(B, 3, H, W)` of one shape; anything else is an `InputError`."""
    require_rgb(prediction, "prediction")
    require_rgb(reference, "reference")
    _require_same("prediction", prediction, "reference", reference)


def require_lab_pair(lab1: Tensor, lab2: Tensor) -> None:
    """Two float Lab pictures or batches `(B, 3, H, W)` of one shape; anything else is an `InputError`."""
    require_rgb(lab1, "lab1")
    require_rgb(lab2, "lab2")
    _require_same("lab1", lab1, "lab2", lab2)


def require_rgb(picture: Tensor, name: str = "picture") -> None:
    """A float batch of pictures `(B, 3, H, W)` with at least one pixel; anything else is an `InputError`."""
    if picture.ndim != 4 or picture.shape[1] != 3 or picture.numel() == 0:
        raise InputError(
            f"{name} must have shape (B, 3, H, W) and at least one pixel, got {tuple(picture.shape)}; "
            "add a batch dimension with picture[None] where it is missing"
        )
    if not picture.is_floating_point():
        raise InputError(
            f"{name} must be a floating-point tensor, got {picture.dtype}; divide 8-bit values by 255 first"
        )


def _require_same(name1: str, picture1: Tensor, name2: str, picture2: Tensor) -> None:
    if picture1.shape == picture2.shape:
        return
    if picture1.shape[0] != picture2.shape[0]:
        raise InputError(
            f"{name1} has {picture1.shape[0]} pictures and {name2} has {picture2.shape[0]}; give as many of each"
        )
    height1, width1 = picture1.shape[-2:]
    height2, width2 = picture2.shape[-2:]
    raise InputError(
        f"{name1} is {width1} x {height1} pixels and {name2} is {width2} x {height2}; "
        "metrics compare pictures of one size"
    )
