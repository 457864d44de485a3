"""CIEDE2000 against Sharma's pairs, against scikit-image, and as a loss."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import color, data
from torch import Tensor

from autochrome.color import lightness_to_grey, rgb_to_lab
from autochrome.errors import InputError
from autochrome.metrics import ciede2000, ciede2000_lab, ciede2000_map

# L*, a*, b* of one color, of the other, and their CIEDE2000: the 34 pairs of table 1 of G. Sharma, W. Wu and
# E. N. Dalal, "The CIEDE2000 color-difference formula: implementation notes, supplementary test data, and mathematical
# observations" (2005), as the authors publish them in ciede2000testdata.txt.
SHARMA = """
50.0000   2.6772 -79.7751  50.0000   0.0000 -82.7485   2.0425
50.0000   3.1571 -77.2803  50.0000   0.0000 -82.7485   2.8615
50.0000   2.8361 -74.0200  50.0000   0.0000 -82.7485   3.4412
50.0000  -1.3802 -84.2814  50.0000   0.0000 -82.7485   1.0000
50.0000  -1.1848 -84.8006  50.0000   0.0000 -82.7485   1.0000
50.0000  -0.9009 -85.5211  50.0000   0.0000 -82.7485   1.0000
50.0000   0.0000   0.0000  50.0000  -1.0000   2.0000   2.3669
50.0000  -1.0000   2.0000  50.0000   0.0000   0.0000   2.3669
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0009   7.1792
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0010   7.1792
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0011   7.2195
50.0000   2.4900  -0.0010  50.0000  -2.4900   0.0012   7.2195
50.0000  -0.0010   2.4900  50.0000   0.0009  -2.4900   4.8045
50.0000  -0.0010   2.4900  50.0000   0.0010  -2.4900   4.8045
50.0000  -0.0010   2.4900  50.0000   0.0011  -2.4900   4.7461
50.0000   2.5000   0.0000  50.0000   0.0000  -2.5000   4.3065
50.0000   2.5000   0.0000  73.0000  25.0000 -18.0000  27.1492
50.0000   2.5000   0.0000  61.0000  -5.0000  29.0000  22.8977
50.0000   2.5000   0.0000  56.0000 -27.0000  -3.0000  31.9030
50.0000   2.5000   0.0000  58.0000  24.0000  15.0000  19.4535
50.0000   2.5000   0.0000  50.0000   3.1736   0.5854   1.0000
50.0000   2.5000   0.0000  50.0000   3.2972   0.0000   1.0000
50.0000   2.5000   0.0000  50.0000   1.8634   0.5757   1.0000
50.0000   2.5000   0.0000  50.0000   3.2592   0.3350   1.0000
60.2574 -34.0099  36.2677  60.4626 -34.1751  39.4387   1.2644
63.0109 -31.0961  -5.8663  62.8187 -29.7946  -4.0864   1.2630
61.2901   3.7196  -5.3901  61.4292   2.2480  -4.9620   1.8731
35.0831 -44.1164   3.7933  35.0232 -40.0716   1.5901   1.8645
22.7233  20.0904 -46.6940  23.0331  14.9730 -42.5619   2.0373
36.4612  47.8580  18.3852  36.2715  50.5065  21.2231   1.4146
90.8027  -2.0831   1.4410  91.1528  -1.6435   0.0447   1.4441
90.9257  -0.5406  -0.9208  88.6381  -0.8985  -0.7239   1.5381
 6.7747  -0.2908  -2.4247   5.8714  -0.0985  -2.2286   0.6377
 2.0776   0.0795  -1.1350   0.9033  -0.0636  -0.5514   0.9082
"""
PAIRS = torch.tensor([[float(number) for number in row.split()] for row in SHARMA.strip().splitlines()]).double()


def picture(*colors: tuple[float, float, float], dtype: torch.dtype = torch.float64) -> Tensor:
    """Lab colors to a picture `(1, 3, 1, n)`."""
    return torch.tensor(colors, dtype=dtype).T[None, :, None, :]


def by_skimage(lab1: Tensor, lab2: Tensor) -> Tensor:
    channels_last = [lab.double().movedim(1, -1).numpy() for lab in (lab1, lab2)]
    return torch.from_numpy(color.deltaE_ciede2000(*channels_last))[:, None]


def random_lab(seed: int, *size: int, chroma: float = 100) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    lab = torch.rand(*size, generator=generator, dtype=torch.float64)
    low = torch.tensor([0, -chroma, -chroma]).view(3, 1, 1)
    return low + lab * torch.tensor([100, 2 * chroma, 2 * chroma]).view(3, 1, 1)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-4), (torch.float32, 2e-4)])
def test_the_34_pairs_of_sharma(dtype: torch.dtype, tolerance: float) -> None:
    assert len(PAIRS) == 34
    lab1, lab2 = (PAIRS[:, part].T[None, :, None].to(dtype) for part in (slice(0, 3), slice(3, 6)))
    expected = PAIRS[:, 6].to(dtype)
    for result in (ciede2000_lab(lab1, lab2), ciede2000_lab(lab2, lab1)):
        assert result.dtype == dtype
        torch.testing.assert_close(result[0, 0, 0], expected, rtol=0, atol=tolerance)


@pytest.mark.parametrize("chroma", [100, 5, 0.01])
def test_random_colors_agree_with_skimage(chroma: float) -> None:
    lab1, lab2 = random_lab(1, 2, 3, 96, 128, chroma=chroma), random_lab(2, 2, 3, 96, 128, chroma=chroma)
    torch.testing.assert_close(ciede2000_lab(lab1, lab2), by_skimage(lab1, lab2), rtol=0, atol=1e-7)
    single1, single2 = lab1.float(), lab2.float()
    torch.testing.assert_close(
        ciede2000_lab(single1, single2).double(), by_skimage(single1, single2), rtol=0, atol=1e-3
    )


def test_colors_on_the_axes_agree_with_skimage() -> None:
    """Exactly opposite and exactly equal hues, where the mean hue has two answers; neutral against anything."""
    values = [-40.0, -1e-3, 0.0, 1e-3, 40.0]
    colors = [(50.0, a, b) for a in values for b in values]
    lab1 = picture(*(one for one in colors for _ in colors))
    lab2 = picture(*(other for _ in colors for other in colors))
    torch.testing.assert_close(ciede2000_lab(lab1, lab2), by_skimage(lab1, lab2), rtol=0, atol=1e-4)


@pytest.mark.parametrize("photo", [data.chelsea, data.coffee])
def test_photos_agree_with_skimage(photo: Callable[[], npt.NDArray[np.uint8]]) -> None:
    rgb = torch.from_numpy(photo()[::3, ::3].copy()).movedim(-1, 0)[None] / 255
    for other in (rgb.roll(1, dims=1), rgb * 0.8 + 0.05, rgb.flip(-1)):
        expected = by_skimage(rgb_to_lab(rgb.double()), rgb_to_lab(other.double()))
        torch.testing.assert_close(ciede2000_map(rgb, other).double(), expected, rtol=0, atol=1e-3)
        torch.testing.assert_close(ciede2000(rgb, other).double(), expected.mean(dim=(1, 2, 3)), rtol=0, atol=1e-4)


def test_float_rounding_gives_greys_no_hue() -> None:
    """Against blue, a chroma of 1e-5 would cost 0.05: grey scores the same in float32 and float64."""
    blue = (
        torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        * torch.tensor([0.3, 0.4, 1])[:, None, None]
    )
    grey = lightness_to_grey(rgb_to_lab(blue)[:, :1]).expand_as(blue)
    exact = ciede2000_map(grey.double(), blue.double())
    torch.testing.assert_close(ciede2000_map(grey, blue).double(), exact, rtol=0, atol=1e-3)


def test_a_large_picture_is_done_in_strips_and_a_batch_as_single_pictures() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(2, 3, 600, 500, generator=generator) for _ in range(2))
    result = ciede2000_map(first, second)
    assert result.shape == (2, 1, 600, 500)
    for index in range(2):
        one = ciede2000_map(first[index : index + 1], second[index : index + 1])
        torch.testing.assert_close(result[index : index + 1], one, rtol=0, atol=1e-3)
    whole = ciede2000_lab(rgb_to_lab(first), rgb_to_lab(second))
    torch.testing.assert_close(result, whole, rtol=0, atol=1e-3)


lab_colors = st.tuples(st.floats(0, 100), st.floats(-128, 128), st.floats(-128, 128))


@settings(max_examples=100, deadline=None)
@given(first=lab_colors, second=lab_colors)
def test_properties(first: tuple[float, float, float], second: tuple[float, float, float]) -> None:
    one, other = picture(first), picture(second)
    there, back = ciede2000_lab(one, other).item(), ciede2000_lab(other, one).item()
    assert np.isfinite(there)
    assert there >= 0
    assert there == pytest.approx(back, abs=1e-6)
    assert ciede2000_lab(one, one).item() == 0
    if (one - other).abs().max() > 1e-3:
        assert there > 0


@settings(max_examples=100, deadline=None)
@given(first=lab_colors, second=lab_colors, dtype=st.sampled_from([torch.float32, torch.float64]))
def test_the_gradient_is_finite(
    first: tuple[float, float, float], second: tuple[float, float, float], dtype: torch.dtype
) -> None:
    one = picture(first, first, second, dtype=dtype).requires_grad_()
    other = picture(second, first, second, dtype=dtype).requires_grad_()
    ciede2000_lab(one, other).sum().backward()
    assert one.grad is not None
    assert other.grad is not None
    assert torch.isfinite(one.grad).all()
    assert torch.isfinite(other.grad).all()
    # By rounding in float32, colors a hundred-thousandth from grey pull at each other by some 1e-4.
    assert (one.grad[..., 1:].abs() < 1e-3).all(), "equal colors must not be pulled anywhere"


def test_the_gradient_is_that_of_the_formula() -> None:
    lab1, lab2 = random_lab(3, 1, 3, 4, 4, chroma=60).requires_grad_(), random_lab(4, 1, 3, 4, 4, chroma=60)
    assert torch.autograd.gradcheck(lambda lab: ciede2000_lab(lab, lab2), lab1, eps=1e-6, atol=1e-4)


def test_descent_leads_from_grey_to_the_color() -> None:
    """A network begins with grey: exactly neutral colors must be pulled towards those of the reference."""
    reference = random_lab(5, 1, 3, 8, 8, chroma=50)
    lightness = reference[:, :1]
    ab = torch.zeros_like(reference[:, 1:]).requires_grad_()
    optimizer = torch.optim.Adam([ab], lr=2)
    start = ciede2000_lab(torch.cat((lightness, ab), dim=1), reference).mean().item()
    for _ in range(60):
        optimizer.zero_grad()
        loss = ciede2000_lab(torch.cat((lightness, ab), dim=1), reference).mean()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1 * start


@pytest.mark.parametrize(
    ("shape1", "shape2", "text"),
    [
        ((1, 3, 4, 5), (1, 3, 6, 5), "lab1 is 5 x 4 pixels and lab2 is 5 x 6; metrics compare pictures of one size"),
        ((1, 3, 4, 5), (2, 3, 4, 5), "lab1 has 1 pictures and lab2 has 2; give as many of each"),
        ((3, 4, 5), (3, 4, 5), r"lab1 must have shape \(B, 3, H, W\) and at least one pixel, got \(3, 4, 5\)"),
        ((1, 3, 4, 5), (1, 1, 4, 5), r"lab2 must have shape \(B, 3, H, W\)"),
    ],
)
def test_wrong_shapes_are_refused(shape1: tuple[int, ...], shape2: tuple[int, ...], text: str) -> None:
    with pytest.raises(InputError, match=text):
        ciede2000_lab(torch.zeros(shape1), torch.zeros(shape2))
