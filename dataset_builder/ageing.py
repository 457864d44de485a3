"""Making a clean grey picture look like an old photograph: soft, grainy, vignetted, faded, stained and scratched.

Models trained on clean grey pictures meet damage for the first time when people bring theirs. All amounts are drawn
from a seed, so that a picture is always aged in the same way.
"""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from autochrome.errors import SettingError

_REFERENCE_SIDE_PX = 512
Floats = npt.NDArray[np.float32]


@dataclass
class AgeingConfig:
    """How conditioning images are aged; each strength is drawn between 0 and the value here, for each picture."""

    share: float = 0.0
    """Share of the pictures that are aged, 0..1; 0 switches ageing off."""
    blur: float = 1.5
    """Standard deviation of the blur, in pixels of a picture of short side 512; 0..20."""
    grain: float = 0.06
    """Standard deviation of the film grain in mid-grey, as a share of the range from black to white; 0..1."""
    vignette: float = 0.4
    """Light lost in the corners, as a share; 0..1."""
    fading: float = 0.4
    """Contrast lost, as a share of the range; 0..1."""
    paper: float = 0.08
    """Depth of the paper's uneven tone, as a share of the range; 0..1."""
    scratches: float = 6.0
    """Number of scratches, and of specks of dust; 0..100."""

    def __post_init__(self) -> None:
        """Raises `SettingError` for a value out of range."""
        limits = {"blur": 20, "scratches": 100}
        for entry in fields(self):
            value, limit = getattr(self, entry.name), limits.get(entry.name, 1)
            if not 0 <= value <= limit:
                raise SettingError(f"ageing.{entry.name} must be 0..{limit}, got {value}")


def age(grey: Image.Image, config: AgeingConfig, seed: int) -> Image.Image:
    """Age a grey picture (mode L) of any size, or leave it as it is for all but `config.share` of the seeds.

    The steps follow a photograph's life: the lens blurs and darkens the corners, film adds grain (most in mid-grey),
    the print fades, its paper grows uneven, and at last it is scratched and dusty. Values are gamma-coded grey; only
    the vignette works on light, with a gamma of 2.2. The same arguments give the same picture.
    """
    if grey.mode != "L":
        raise ValueError(f"grey must be of mode L, got {grey.mode}")
    rng = np.random.default_rng(seed)
    if rng.random() >= config.share:
        return grey
    pixels = np.asarray(grey, dtype=np.float32) / 255
    scale = min(grey.size) / _REFERENCE_SIDE_PX
    pixels = gaussian_filter(pixels, rng.uniform(0, config.blur) * scale)
    pixels = pixels * _vignette(pixels.shape, rng.uniform(0, config.vignette))
    pixels = pixels + rng.uniform(0, config.grain) * _grain(pixels, rng, scale)
    fading, towards = rng.uniform(0, config.fading), rng.uniform(0.3, 0.8)
    pixels = pixels * (1 - fading) + fading * towards
    pixels = pixels + rng.uniform(0, config.paper) * _paper(pixels.shape, rng)
    levels = (pixels * 255).round().clip(0, 255).astype(np.uint8)
    return _scratch(Image.fromarray(levels), rng, rng.uniform(0, config.scratches), scale)


def _vignette(shape: tuple[int, ...], strength: float) -> Floats:
    rows, columns = (np.linspace(-1, 1, side, dtype=np.float32) ** 2 for side in shape)
    return np.asarray((1 - strength * (rows[:, None] + columns[None]) / 2) ** (1 / 2.2), dtype=np.float32)


def _grain(pixels: Floats, rng: np.random.Generator, scale: float) -> Floats:
    noise = gaussian_filter(rng.standard_normal(pixels.shape, dtype=np.float32), 0.6 * scale)
    return np.asarray(noise / max(noise.std(), 1e-6) * 2 * np.sqrt((pixels * (1 - pixels)).clip(0)), dtype=np.float32)


def _paper(shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Soft clouds of two sizes, about -1..1."""
    height, width = shape
    clouds = np.zeros(shape, np.float32)
    for cells, weight in ((4, 0.7), (16, 0.3)):
        coarse = Image.fromarray(rng.uniform(-1, 1, (cells, cells)).astype(np.float32))
        clouds += weight * np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC))
    return clouds


def _scratch(picture: Image.Image, rng: np.random.Generator, mean_number: float, scale: float) -> Image.Image:
    """Long thin lines, most of them upright, and specks: each lighter or darker than what it covers."""
    width, height = picture.size
    for light in (True, False):
        mask = Image.new("L", picture.size)
        draw = ImageDraw.Draw(mask)
        for _ in range(rng.poisson(mean_number / 2)):
            x, y = rng.uniform(0, width), rng.uniform(0, height)
            dx, dy = rng.normal(0, 0.05 * width), rng.uniform(0.1, 0.9) * height
            points = [(x, y - dy / 2), (x + dx + rng.normal(0, 0.01 * width), y), (x + 2 * dx, y + dy / 2)]
            draw.line(points, fill=int(rng.integers(80, 230)), width=max(1, round(rng.uniform(0.5, 2) * scale)))
        for _ in range(rng.poisson(mean_number / 2)):
            x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.5, 3) * scale
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(rng.integers(80, 230)))
        picture = Image.composite(Image.new("L", picture.size, 235 if light else 20), picture, mask)
    return picture
