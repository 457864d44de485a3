"""What is tried: each task takes one photograph and gives plain numbers, CIEDE2000 where nothing else is said."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import torch

from autochrome.color import rgb_to_lab
from autochrome.image import picture_to_tensor
from autochrome.naming import cluster_colors
from autochrome.pipelines import ScribblesPipeline, SteerablePipeline, suggest_points
from training.benchmarks.photos import Photo
from training.benchmarks.steering.pictures import to_hex, true_hints
from training.benchmarks.words.asking import asking
from training.benchmarks.words.swaps import Change, swap_colors

COUNTS = (1, 3, 10, 30, 100)
Numbers = dict[str, float]


def points(
    pipe: SteerablePipeline, photo: Photo, seed: int, scribbles: ScribblesPipeline | None, suggested: bool
) -> Numbers:
    """True points at random places, for the model, for Levin's way where wanted, and at suggested places."""
    rng = np.random.default_rng(seed)
    places = rng.random((COUNTS[-1], 2))
    plain = pipe(photo.picture)
    found = {"automatic": photo.difference_of(plain.images[0])}
    for count in COUNTS:
        hints = true_hints(photo, places[:count])
        found[f"points_{count}"] = photo.difference_of(pipe(photo.picture, hints=hints).images[0])
        if scribbles is not None:
            found[f"scribbles_{count}"] = photo.difference_of(scribbles(photo.picture, hints=hints).images[0])
    if suggested:
        chosen: list[tuple[float, float]] = []
        out = plain
        while len(chosen) < 10:  # as the page does: asked anew after every answer
            assert out.expected_error is not None
            chosen += suggest_points(out.expected_error, 1, chosen)
            out = pipe(photo.picture, hints=true_hints(photo, np.array(chosen)))
            if len(chosen) in COUNTS:
                found[f"suggested_{len(chosen)}"] = photo.difference_of(out.images[0])
    return found


def captions(pipe: SteerablePipeline, photo: Photo) -> Numbers:
    """No prompt, a person's caption, and that with the main colours named; of a photograph that has a caption."""
    caption = photo.captions[0]
    prompts = {"none": "", "caption": caption, "named": f"{caption.rstrip(' .')}. {photo.named_colors()}"}
    return {name: photo.difference_of(pipe(photo.picture, prompt=prompt).images[0]) for name, prompt in prompts.items()}


def swaps(pipe: SteerablePipeline, photo: Photo, caption: str) -> list[Change]:
    """How a* and b* change at every place when each of the eight colours stands in the caption, against none."""
    return swap_colors(asking(pipe, photo.picture), caption)


def palettes(pipe: SteerablePipeline, photo: Photo, other: Photo) -> Numbers:
    """The truth's own palette, and another photograph's."""
    automatic = pipe(photo.picture).images[0]
    found = {"automatic": photo.difference_of(automatic)}
    for name, source in (("true", photo), ("other", other)):
        palette = palette_of(source)
        result = pipe(photo.picture, palette=palette).images[0]
        nearer = palette_distance(result, palette) < palette_distance(automatic, palette)
        found |= {f"{name}_palette": photo.difference_of(result), f"{name}_palette_nearer": float(nearer)}
    return found


def exemplars(pipe: SteerablePipeline, photo: Photo, other: Photo) -> Numbers:
    """Another view of the same thing (the other part of the photograph, mirrored, brighter), and an unrelated one."""
    mine, theirs = two_views(photo)
    unrelated = other.picture
    results = {
        "automatic": pipe(mine.picture),
        "same_thing": pipe(mine.picture, exemplar=theirs),
        "same_thing_palette": pipe(mine.picture, palette=palette_of_picture(theirs)),
        "unrelated": pipe(mine.picture, exemplar=unrelated),
        "unrelated_palette": pipe(mine.picture, palette=palette_of_picture(unrelated)),
    }
    return {name: mine.difference_of(result.images[0]) for name, result in results.items()}


def two_views(photo: Photo) -> tuple[Photo, PIL.Image.Image]:
    """Two crops of three quarters from opposite corners; the second mirrored and 1.25 times as bright."""
    width, height = photo.picture.size
    first = photo.picture.crop((0, 0, width * 3 // 4, height * 3 // 4))
    second = photo.picture.crop((width // 4, height // 4, width, height))
    second = PIL.ImageEnhance.Brightness(second.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)).enhance(1.25)
    return Photo(photo.name, first, ()), second


def palette_of(photo: Photo) -> list[dict[str, Any]]:
    """The main colours of a photograph with their shares, as people write them."""
    centers, shares = cluster_colors(photo.pixels, 8)
    colors = [to_hex(torch.from_numpy(center)) for center in centers]
    return [{"color": color, "weight": float(w)} for color, w in zip(colors, shares, strict=True) if w > 0]


def palette_of_picture(picture: PIL.Image.Image) -> list[dict[str, Any]]:
    """The same of any picture."""
    return palette_of(Photo("", picture.convert("RGB"), ()))


def palette_distance(result: PIL.Image.Image, palette: list[Mapping[str, Any]] | list[dict[str, Any]]) -> float:
    """How far the main colours of a result are from a palette: mean distance in a*b* each way, weighted by share."""
    small = rgb_to_lab(picture_to_tensor(result.convert("RGB").resize((32, 32), PIL.Image.Resampling.BOX)))
    centers, shares = cluster_colors(small[0].flatten(1).T.numpy().astype(np.float64), 8)
    levels = torch.tensor([list(bytes.fromhex(str(entry["color"])[1:])) for entry in palette]).double() / 255
    wanted = rgb_to_lab(levels.T[:, :, None])[1:, :, 0].T.numpy()
    weights = np.array([entry["weight"] for entry in palette])
    apart = np.linalg.norm(centers[:, None, 1:] - wanted[None], axis=-1)
    return float((apart.min(axis=1) * shares).sum() + (apart.min(axis=0) * weights).sum() / weights.sum()) / 2
