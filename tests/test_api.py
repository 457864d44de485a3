"""The API as programs meet it: a running server, and Gradio's own client or plain HTTP."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gradio_client
import numpy as np
import patient
import PIL.Image
import pytest
import skimage.data
from gradio_client import handle_file

from autochrome.image import picture_to_lightness


@pytest.fixture(scope="module")
def client(server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[gradio_client.Client]:
    client = patient.connect(server_url, tmp_path_factory.mktemp("downloads"))
    yield client
    client.close()


@pytest.fixture
def color_photo(tmp_path: Path) -> Path:
    path = tmp_path / "in color.png"
    PIL.Image.fromarray(skimage.data.coffee()).resize((150, 100)).save(path)
    return path


def colorize(client: gradio_client.Client, photo: Path, **settings: Any) -> tuple[PIL.Image.Image, dict[str, Any]]:
    path, report = client.predict(handle_file(photo), api_name="/colorize", **settings)
    with PIL.Image.open(path) as picture:
        picture.load()
    return picture, report


def test_colorize_keeps_size_and_lightness_in_a_png(client: gradio_client.Client, grey_photo: Path) -> None:
    picture, report = colorize(client, grey_photo)
    assert picture.format == "PNG"
    assert picture.info["Comment"] == "AI-colorized"
    assert picture.info["Model"] == "tiny-one"
    with PIL.Image.open(grey_photo) as photo:
        assert picture.size == photo.size
        error = (picture_to_lightness(picture) - picture_to_lightness(photo.convert("RGB"))).abs()
    assert error.mean() < 0.25
    assert np.ptp(np.asarray(picture).astype(int), axis=-1).max() > 5, "no color in it"
    assert report["model"] == "tiny-one"
    assert report["settings"]["merge_lightness"] is True
    assert report["lightness_error"] < 0.25
    assert report["truth_from"] is None
    assert "psnr" not in report


def test_colorize_measures_a_color_upload_by_its_own_colors(client: gradio_client.Client, color_photo: Path) -> None:
    _, report = colorize(client, color_photo, model="tiny-two", saturation=0.0)
    assert report["truth_from"] == "upload"
    grey = report["baselines"]["grey"]
    # Without saturation the result is the grey baseline.
    assert report["ciede2000"] == pytest.approx(grey["ciede2000"], abs=0.05)
    assert report["psnr"] == pytest.approx(grey["psnr"], abs=0.1)
    assert report["ssim"] == pytest.approx(grey["ssim"], abs=0.01)


def test_colorize_measures_by_a_reference(client: gradio_client.Client, grey_photo: Path, tmp_path: Path) -> None:
    reference = tmp_path / "reference.png"
    PIL.Image.fromarray(skimage.data.astronaut()).resize((203, 131)).save(reference)
    _, report = colorize(client, grey_photo, reference=handle_file(reference))
    assert report["truth_from"] == "reference"
    assert set(report["baselines"]["grey"]) >= {"psnr", "ssim", "ciede2000"}


def test_settings_arrive(client: gradio_client.Client, grey_photo: Path) -> None:
    kept, _ = colorize(client, grey_photo, prompt="", negative_prompt="", seed=3, render_factor=8.0)
    soft, report = colorize(client, grey_photo, merge_lightness=False, render_factor=8)
    assert report["settings"]["render_factor"] == 8
    assert report["lightness_error"] > 0.5
    assert kept.tobytes() != soft.tobytes()


def test_candidates(client: gradio_client.Client, grey_photo: Path) -> None:
    """The first is the plain result; each other is a picture of its own, with the settings that make it."""
    plain, _ = colorize(client, grey_photo)
    first, report = colorize(client, grey_photo, candidates=3)
    assert first.tobytes() == plain.tobytes()
    assert report["settings"]["candidates"] == 3
    assert len(report["candidates"]) == 2
    for candidate in report["candidates"]:
        with PIL.Image.open(candidate["picture"]) as picture:
            assert picture.format == "PNG"
            assert picture.size == plain.size
            assert picture.convert("RGB").tobytes() != plain.tobytes()
        again, _ = colorize(client, grey_photo, **candidate["settings"])
        with PIL.Image.open(candidate["picture"]) as picture:
            assert again.tobytes() == picture.tobytes()
        assert candidate["lightness_error"] < 0.25


def test_an_exemplar_goes_to_models_that_take_one(client: gradio_client.Client, grey_photo: Path) -> None:
    with pytest.raises(gradio_client.exceptions.AppError, match="tiny-one takes no exemplar"):
        colorize(client, grey_photo, exemplar=handle_file(grey_photo))


def test_evaluate(client: gradio_client.Client, color_photo: Path) -> None:
    same = client.predict(handle_file(color_photo), handle_file(color_photo), api_name="/evaluate")
    assert same["ciede2000"] == pytest.approx(0, abs=1e-3)
    assert same["ssim"] == pytest.approx(1)
    assert set(same["baselines"]) == {"grey", "tint"}
    assert same["baselines"]["grey"]["ciede2000"] > 5


def test_evaluate_refuses_different_sizes(client: gradio_client.Client, color_photo: Path, grey_photo: Path) -> None:
    with pytest.raises(gradio_client.exceptions.AppError, match=r"prediction is 150 × 100 .* reference 203 × 131"):
        client.predict(handle_file(color_photo), handle_file(grey_photo), api_name="/evaluate")


def test_models(client: gradio_client.Client) -> None:
    rows = client.predict(api_name="/models")
    assert [row["id"] for row in rows] == ["tiny-one", "tiny-two", "not-installed"]
    assert [row["available"] for row in rows] == [True, True, False]
    assert rows[0]["settings"]["saturation"] == {"default": 1.0, "min": 0.0, "max": 4.0}


BAD_SETTINGS = [
    ({"model": "tiny-on"}, "there is no model 'tiny-on'"),
    ({"model": "not-installed"}, "not-installed is not available"),
    ({"render_factor": 3}, "render_factor must be an integer from 7 to 45, got 3"),
    ({"render_factor": 16.5}, "render_factor must be an integer from 7 to 45, got 16.5"),
    ({"saturation": "much"}, "saturation must be a number from 0.0 to 4.0, got 'much'"),
    ({"merge_lightness": "yes"}, "merge_lightness must be true or false, got 'yes'"),
    ({"prompt": "a red door"}, "tiny-one takes no prompt; its settings are: merge_lightness"),
    ({"negative_prompt": "blue"}, "tiny-one takes no negative_prompt"),
    ({"steps": 20, "guidance_scale": 7.5}, "tiny-one takes no steps and no guidance_scale"),
    ({"candidates": 99}, "candidates must be an integer from 1 to 6, got 99"),
    ({"hints": [{"x": 0.5, "y": 0.5, "color": "#ff0000"}]}, "tiny-one takes no hints; its settings are"),
    ({"palette": ["#ff0000"]}, "tiny-one takes no palette"),
    ({"image": "portrait.png"}, "image must be an uploaded picture"),
    ({"image": None}, "image must be an uploaded picture"),
    ({"image": {"path": "a\0b"}}, "image must be an uploaded picture"),
]


@pytest.mark.parametrize(("settings", "sentence"), BAD_SETTINGS)
def test_bad_settings_get_one_sentence(
    client: gradio_client.Client, grey_photo: Path, settings: dict[str, Any], sentence: str
) -> None:
    settings = {"image": handle_file(grey_photo), **settings}
    with pytest.raises(gradio_client.exceptions.AppError, match=sentence) as caught:
        client.predict(api_name="/colorize", **settings)
    assert "\n" not in str(caught.value)
    assert colorize(client, grey_photo)[1]["model"] == "tiny-one", "the server goes on"


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"", "is empty"), (b"not a picture at all", "cannot be read"), (None, "cut-off")]
)
def test_bad_files_get_one_sentence(
    client: gradio_client.Client, grey_photo: Path, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    bad = tmp_path / "bad.png"
    bad.write_bytes(grey_photo.read_bytes()[:3000] if content is None else content)
    with pytest.raises(gradio_client.exceptions.AppError, match=sentence) as caught:
        colorize(client, bad)
    assert str(tmp_path) not in str(caught.value)
    assert "gradio" not in str(caught.value), "no folder of the server in a message"
    with pytest.raises(gradio_client.exceptions.AppError, match=sentence):
        colorize(client, grey_photo, reference=handle_file(bad))
    assert colorize(client, grey_photo)[1]["model"] == "tiny-one", "the server goes on"


def test_the_servers_own_files_are_out_of_reach(server_url: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    PIL.Image.new("RGB", (20, 20), "red").save(secret)
    for given in ({"path": str(secret)}, {"path": str(secret), "meta": {"_type": "gradio.FileData"}}):
        answer = call(server_url, "colorize", image=given)
        assert answer.startswith("event: error"), answer
        assert "complete" not in answer
    assert "image must be an uploaded picture" in call(server_url, "colorize", image={"path": str(secret)})


def test_private_events_are_closed_to_programs(client: gradio_client.Client, server_url: str) -> None:
    api = client.view_api(return_format="dict", print_info=False)
    assert set(api["named_endpoints"]) == {"/colorize", "/evaluate", "/models"}
    assert not api["unnamed_endpoints"]
    parameters = api["named_endpoints"]["/colorize"]["parameters"]
    assert " ".join(each["parameter_name"] for each in parameters) == (
        "image model prompt negative_prompt merge_lightness render_factor saturation steps guidance_scale seed "
        "reference candidates hints palette exemplar conditioning_scale"
    )


def test_plain_http(server_url: str, grey_photo: Path) -> None:
    with grey_photo.open("rb") as file:
        (path,) = patient.post(f"{server_url}gradio_api/upload", files={"files": file}).raise_for_status().json()
    answer = call(server_url, "colorize", image={"path": path}, model="tiny-two")
    assert answer.startswith("event: complete"), answer
    picture, report = json.loads(answer.split("data: ", 1)[1])
    assert report["model"] == "tiny-two"
    assert patient.get(picture["url"]).raise_for_status().content.startswith(b"\x89PNG")


def call(server_url: str, endpoint: str, **values: Any) -> str:
    """The event stream of one call with named values, as `curl` shows it."""
    address = f"{server_url}gradio_api/call/v2/{endpoint}"
    event = patient.post(address, json=values).raise_for_status().json()["event_id"]
    return patient.get(f"{address}/{event}").text


def test_everybody_gets_their_own_picture(server_url: str, tmp_path: Path) -> None:
    """Different pictures, and the same one several times: identical files must not get into each other's way."""
    greys = [40, 90, 140, 190, 140, 140]
    photos = [tmp_path / f"{number}.png" for number in range(len(greys))]
    for grey, photo in zip(greys, photos, strict=True):
        PIL.Image.new("L", (64, 48), grey).save(photo)

    def ask(photo: Path) -> PIL.Image.Image:
        mine = patient.connect(server_url, tmp_path / f"of-{photo.stem}")
        try:
            return colorize(mine, photo)[0]
        finally:
            mine.close()

    with ThreadPoolExecutor(len(photos)) as pool:
        pictures = list(pool.map(ask, photos))
    for photo, picture in zip(photos, pictures, strict=True):
        with PIL.Image.open(photo) as own:
            expected = picture_to_lightness(own.convert("RGB")).mean()
        assert picture_to_lightness(picture).mean() == pytest.approx(expected.item(), abs=0.3)
