"""The diffusion pipeline, with an untrained model: what comes out, what is told on the way, what is refused."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import PIL.Image
import pytest
import torch
from skimage.data import astronaut
from tiny_diffusion import make_pipeline

from autochrome.color import grey_to_lightness
from autochrome.errors import Cancelled, ModelError, SettingError, UnavailableError
from autochrome.image import picture_to_lightness, picture_to_tensor
from autochrome.models.diffusion import load_diffusion
from autochrome.pipelines import ColorizationOutput, DiffusionPipeline, Setting, TextSetting
from autochrome.pipelines.diffusion import MAX_SEED
from autochrome.pipelines.placing import LARGE, choose_device, choose_dtype

PHOTO = PIL.Image.fromarray(astronaut()).convert("L").resize((160, 120)).convert("RGB")
ONE: dict[str, Any] = {"steps": 1}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pipeline(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> DiffusionPipeline:
    return DiffusionPipeline.from_folder(folder, device="cpu")


def all_ab(out: ColorizationOutput) -> list[torch.Tensor]:
    return [out.ab, *(prediction.ab for prediction in out.others)]


def pixels(picture: PIL.Image.Image) -> bytes:
    return picture.tobytes()


@dataclass
class Seen:
    """What goes into a network: sizes of batches, and the last arguments."""

    batches: list[int] = field(default_factory=list)
    last: dict[str, Any] = field(default_factory=dict)


@contextmanager
def watch(network: torch.nn.Module) -> Iterator[Seen]:
    seen = Seen()

    def note(_: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.batches.append(len(args[0]))
        seen.last = kwargs

    hook = network.register_forward_pre_hook(note, with_kwargs=True)
    yield seen
    hook.remove()


def test_a_picture_comes_out_with_the_photographs_own_light(pipeline: DiffusionPipeline) -> None:
    photo = PHOTO.resize((301, 203))
    out = pipeline(photo, prompt="a girl in a yellow raincoat", steps=2)
    assert out.images[0].size == (301, 203)
    assert out.ab.shape == (1, 2, 104, 152), "near 128 x 128 pixels, in steps of 8, the aspect ratio kept"
    assert out.lightness.shape == (1, 1, 104, 152)
    assert out.ab.abs().max() > 1
    error = picture_to_lightness(out.images[0]) - picture_to_lightness(photo)
    assert error.abs().max() < 1.5
    assert list(out.timings) == ["read", "prepare", "words", "steps", "decode", "render"]
    assert out.settings["negative_prompt"] == "black and white photo, sepia"
    assert out.metadata()["Model"] == "tiny"
    assert out.notes == ()


def test_without_the_merge_the_raw_output_shows(pipeline: DiffusionPipeline) -> None:
    out = pipeline(PHOTO, **ONE)
    raw = out.render(merge_lightness=False)
    assert raw.size == PHOTO.size
    found = picture_to_lightness(raw.resize((out.lightness.shape[-1], out.lightness.shape[-2]))) - out.lightness
    assert found.abs().mean() < 6, "it has the light of the decoded latents, not the photograph's"
    assert (picture_to_lightness(raw) - picture_to_lightness(PHOTO)).abs().mean() > 10
    assert pixels(raw) == pixels(pipeline(PHOTO, merge_lightness=False, **ONE).images[0])
    assert picture_to_tensor(out.render(saturation=0)).std(dim=1).max() < 0.01


def test_the_network_is_given_the_grey_of_lightness(pipeline: DiffusionPipeline) -> None:
    red = PIL.Image.new("RGB", (96, 96), "#ff0000")
    grey = pipeline.conditioning(red)
    assert grey.shape == (1, 3, 128, 128)
    assert grey.std(dim=1).max() == 0
    torch.testing.assert_close(grey_to_lightness(grey[:, :1]).mean(), picture_to_lightness(red).mean())
    with watch(pipeline.pipe.controlnet) as seen:
        pipeline(red, **ONE)
    assert torch.equal(seen.last["controlnet_cond"][:1], grey)


@pytest.mark.parametrize("size", [(3, 400), (400, 3), (1, 1), (640, 80)])
def test_any_shape_is_colored(pipeline: DiffusionPipeline, size: tuple[int, int]) -> None:
    out = pipeline(PHOTO.resize(size), **ONE)
    assert out.images[0].size == size
    assert all(side % 8 == 0 for side in out.ab.shape[-2:])
    assert out.ab.shape[-1] * out.ab.shape[-2] <= 1.2 * 128**2


def test_transparency_stays(pipeline: DiffusionPipeline) -> None:
    photo = PHOTO.convert("RGBA")
    photo.putalpha(77)
    result = pipeline(photo, preview=lambda number, total, picture: None, **ONE).images[0]
    assert (result.mode, result.getpixel((3, 3))[3]) == ("RGBA", 77)  # type: ignore[index]


def test_everything_that_is_said_changes_the_colors(pipeline: DiffusionPipeline) -> None:
    asked: list[dict[str, Any]] = [
        {},
        {"prompt": "red"},
        {"prompt": "blue"},
        {"prompt": "blue", "guidance_scale": 5.0},
        {"negative_prompt": "green"},
        {"negative_prompt": ""},
        {"conditioning_scale": 0.0},
        {"seed": 1},
        {"steps": 3},
    ]
    found = [pipeline(PHOTO, **{"steps": 2, **settings}).ab for settings in asked]
    for index, ab in enumerate(found):
        assert all((ab - other).abs().mean() > 0.01 for other in found[:index]), asked[index]


def test_a_seed_gives_the_same_picture_and_candidates_are_seeds(pipeline: DiffusionPipeline) -> None:
    out = pipeline(PHOTO, seed=MAX_SEED, candidates=3, prompt="sky", **ONE)
    assert [prediction.settings for prediction in out.others] == [{"seed": seed, "candidates": 1} for seed in (0, 1)]
    for number, seed in enumerate((MAX_SEED, 0, 1)):
        alone = pipeline(PHOTO, seed=seed, prompt="sky", **ONE)
        assert torch.equal(alone.ab, all_ab(out)[number])
        assert pixels(alone.images[0]) == pixels(out.images[number])
        assert alone.metadata() == {**out.metadata(candidate=number), "Settings": alone.metadata()["Settings"]}
    assert (out.ab - out.others[0].ab).abs().mean() > 0.1


def test_candidates_can_be_drawn_together(folder: Path) -> None:
    """As on a graphics card: the same pictures, but for the last bits."""
    alone, together = (DiffusionPipeline.from_folder(folder, device="cpu") for _ in range(2))
    together.batch_size = 3
    with watch(together.pipe.unet) as seen:
        found = together(PHOTO, candidates=4, steps=2, negative_prompt="")
    assert seen.batches == [3, 3, 1, 1]
    wanted = alone(PHOTO, candidates=4, steps=2, negative_prompt="")
    for ours, theirs in zip(all_ab(found), all_ab(wanted), strict=True):
        torch.testing.assert_close(ours, theirs, atol=0.05, rtol=0.01)


def test_where_memory_is_short_they_are_drawn_one_by_one(folder: Path) -> None:
    narrow = DiffusionPipeline.from_folder(folder, device="cpu")
    narrow.batch_size = 6

    def refuse(unet: torch.nn.Module, args: tuple[Any, ...], room: int) -> None:
        if len(args[0]) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = narrow.pipe.unet.register_forward_pre_hook(lambda unet, args: refuse(unet, args, 2))
    with watch(narrow.pipe.unet) as seen:
        assert len(narrow(PHOTO, candidates=2, **ONE).images) == 2
    assert seen.batches == [2, 2]
    hook.remove()
    narrow.pipe.unet.register_forward_pre_hook(lambda unet, args: refuse(unet, args, 0))
    with pytest.raises(UnavailableError, match="the graphics card has too little memory for tiny; end other programs"):
        narrow(PHOTO, candidates=2, **ONE)


@pytest.mark.parametrize(
    ("settings", "passes"),
    [
        ({"prompt": "red"}, 2),
        ({}, 2),
        ({"negative_prompt": ""}, 1),
        ({"prompt": "red", "negative_prompt": "red"}, 1),
        ({"prompt": "red", "guidance_scale": 1.0}, 1),
    ],
)
def test_a_second_pass_only_where_it_changes_something(
    pipeline: DiffusionPipeline, settings: dict[str, Any], passes: int
) -> None:
    with watch(pipeline.pipe.unet) as seen:
        pipeline(PHOTO, **settings, **ONE)
    assert seen.batches == [passes]


def test_progress_and_previews_come_after_each_step(pipeline: DiffusionPipeline) -> None:
    told: list[tuple[float, str]] = []
    shown: list[tuple[int, int, PIL.Image.Image]] = []
    photo = PHOTO.resize((800, 600)).convert("RGBA")
    out = pipeline(
        photo,
        steps=2,
        candidates=2,
        progress=lambda share, step: told.append((share, step)),
        preview=lambda number, total, picture: shown.append((number, total, picture)),
    )
    assert [(number, total) for number, total, _ in shown] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert {(picture.mode, picture.size) for _, _, picture in shown} == {("RGB", (384, 288))}
    assert [step for _, step in told if step.startswith("step")] == [f"step {number} of 4" for number in range(1, 5)]
    assert told == sorted(told, key=lambda entry: entry[0])
    assert (told[0], told[-1]) == ((0.0, "read"), (1.0, "done"))
    # The last is what comes out; L* is the photograph's in all.
    for index, number in ((1, 0), (3, 1)):
        small = out.images[number].convert("RGB").resize((384, 288), PIL.Image.Resampling.BOX)
        assert (picture_to_tensor(small) - picture_to_tensor(shown[index][2])).abs().mean() < 0.03
    assert out.timings["previews"] > 0


def test_a_large_model_shows_fewer_steps(folder: Path) -> None:
    large = DiffusionPipeline.from_folder(folder, device="cpu")
    assert large.preview_every == 1
    large.preview_every = 4
    shown: list[int] = []
    large(PHOTO, steps=6, preview=lambda number, total, picture: shown.append(number))
    assert shown == [4, 6]


@pytest.mark.parametrize("door", ["progress", "preview"])
def test_a_run_can_be_cancelled_between_steps_and_the_next_is_as_ever(pipeline: DiffusionPipeline, door: str) -> None:
    def stop(*step: Any) -> None:
        if step[0] == 2 or step[1] == "step 2 of 5":
            raise Cancelled("no longer wanted")

    wanted = pipeline(PHOTO, **ONE)
    with watch(pipeline.pipe.unet) as seen, pytest.raises(Cancelled, match="no longer wanted"):
        pipeline(PHOTO, steps=5, **{door: stop})
    assert len(seen.batches) == 2
    assert torch.equal(pipeline(PHOTO, **ONE).ab, wanted.ab)


def test_many_may_ask_at_once(pipeline: DiffusionPipeline) -> None:
    jobs: list[dict[str, Any]] = [
        {"prompt": prompt, "steps": steps, "guidance_scale": scale}
        for prompt, steps, scale in (("red", 1, 1.0), ("blue", 2, 4.0), ("", 2, 1.0), ("sky", 1, 2.0))
    ] * 2
    wanted = [pipeline(PHOTO, **job).ab for job in jobs[:4]] * 2
    barrier = threading.Barrier(4)

    def ask(job: dict[str, Any]) -> torch.Tensor:
        barrier.wait(timeout=60)
        return pipeline(PHOTO, **job).ab

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(ask, jobs))
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-4)


def test_a_text_too_long_to_be_read_is_cut_at_a_word_and_told(pipeline: DiffusionPipeline) -> None:
    words = "red " * 46
    out = pipeline(PHOTO, prompt=f"{words} a yellow raincoat", negative_prompt=f"{words}green", **ONE)
    assert out.notes == (
        "The prompt is longer than what is read; this was left out: a yellow raincoat",
        "The negative prompt is longer than what is read; this was left out: green",
    )
    same = pipeline(PHOTO, prompt=words, negative_prompt=words, **ONE)
    assert torch.equal(out.ab, same.ab)
    assert same.notes == ()
    assert pipeline.cut("red " * 45 + "zzz red") == (("red " * 45).strip(), "zzz red"), "no half of a word is read"
    assert pipeline.cut("z" * 50) == ("z" * 46, "z" * 4), "but where there is no other"
    assert pipeline.cut("") == ("", "")


def test_settings_are_checked_before_anything_runs(pipeline: DiffusionPipeline) -> None:
    with watch(pipeline.pipe.unet) as seen:
        for given, message in (
            ({"prompt": "x" * 1001}, "prompt must be a text of at most 1,000 characters, got 1,001; say it in fewer"),
            (
                {"render_factor": 9},
                "tiny takes no render_factor; its settings are: merge_lightness, saturation, prompt",
            ),
            ({"steps": 0}, "steps must be an integer from 1 to 100, got 0"),
            ({"guidance_scale": 0.5}, "guidance_scale must be a number from 1.0 to 20.0, got 0.5"),
            ({"conditioning_scale": 3.0}, "conditioning_scale must be a number from 0.0 to 2.0, got 3.0"),
            ({"negative_prompt": 5}, "negative_prompt must be a text of at most 1,000 characters, got 5"),
        ):
            with pytest.raises(SettingError, match=message):
                pipeline(PHOTO, **given)
    assert seen.batches == []


def test_an_empty_negative_prompt_means_none_and_nothing_means_the_default(pipeline: DiffusionPipeline) -> None:
    default = "black and white photo, sepia"
    assert pipeline.check_inputs(negative_prompt="")["negative_prompt"] == ""
    assert pipeline.check_inputs(negative_prompt=None)["negative_prompt"] == default
    checked = pipeline.check_inputs(negative_prompt=" ", prompt="")
    assert (checked["negative_prompt"], checked["prompt"]) == ("", "")
    assert pipeline.check_inputs(**checked) == checked
    assert pipeline.settings["negative_prompt"].to_dict()["default"] == default
    assert pipeline.settings["prompt"].to_dict()["default"] is None


def test_a_row_gives_its_own_defaults(folder: Path) -> None:
    own = {"steps": Setting("steps", 2, 1, 3), "negative_prompt": TextSetting("negative_prompt", "")}
    tuned = DiffusionPipeline.from_folder(folder, device="cpu", model_id="mine", settings=own)
    with watch(tuned.pipe.unet) as seen:
        assert tuned(PHOTO).model == "mine"
    assert seen.batches == [1, 1]


def test_a_damaged_model_is_told(folder: Path) -> None:
    pipe = load_diffusion(folder, None, torch.float32)
    with torch.no_grad():
        pipe.vae.decoder.conv_out.bias.fill_(torch.nan)
    with pytest.raises(ModelError, match="diffusion gave colors that are not numbers; its weights may be damaged"):
        DiffusionPipeline(pipe, device="cpu")(PHOTO, **ONE)


def test_devices(folder: Path) -> None:
    with pytest.raises(UnavailableError, match="the device 'warp' cannot be used here; leave it out, or try 'cpu'"):
        DiffusionPipeline.from_folder(folder, device="warp")
    if not torch.cuda.is_available():
        with pytest.raises(UnavailableError, match="the device 'cuda' cannot be used here"):
            DiffusionPipeline.from_folder(folder, device="cuda")
    assert choose_device(None).type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_small_models_are_exact_and_large_ones_run_in_half_precision() -> None:
    assert choose_dtype(torch.device("cpu"), LARGE) == choose_dtype(torch.device("cuda"), LARGE) == torch.float32
    assert choose_dtype(torch.device("cuda"), LARGE + 1) == torch.float16
    has_bfloat16 = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    assert choose_dtype(torch.device("cpu"), LARGE + 1) == (torch.bfloat16 if has_bfloat16 else torch.float32)


def test_other_precisions_run_too(folder: Path) -> None:
    half = DiffusionPipeline(load_diffusion(folder, None, torch.bfloat16), device="cpu")
    out = half(PHOTO, prompt="red", preview=lambda number, total, picture: None, **ONE)
    assert out.ab.dtype == torch.float32
    assert torch.isfinite(out.ab).all()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of diffusers with NumPy 2
@pytest.mark.parametrize("name", ["PNDMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_other_schedulers_show_their_steps_too(folder: Path, name: str) -> None:
    import diffusers

    pipe = load_diffusion(folder, None, torch.float32)
    common: dict[str, Any] = {
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "steps_offset": 1,
    }
    common |= {"prediction_type": "epsilon", "skip_prk_steps": True}
    pipe.scheduler = getattr(diffusers, name).from_config(common)
    shown: list[tuple[int, int]] = []
    out = DiffusionPipeline(pipe, device="cpu")(
        PHOTO, steps=4, preview=lambda number, total, picture: shown.append((number, total))
    )
    total = 5 if name == "PNDMScheduler" else 4
    assert shown[-1] == (total, total)
    assert torch.isfinite(out.ab).all()
