"""Captions: color words removed without breaking the sentence, main colors named, a captioner that runs."""

from pathlib import Path

import pytest
import skimage.data
import torch
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import (
    GPT2Config,
    PreTrainedTokenizerFast,
    VisionEncoderDecoderConfig,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTImageProcessor,
)

from autochrome.errors import SettingError, UnavailableError
from autochrome.naming import list_in_words, name_main_colors
from autochrome.naming.color_words import names_color, remove_color_words, tidy
from dataset_builder.captions import CaptionConfig, make_captions
from dataset_builder.captions.captioner import Captioner
from dataset_builder.small_copy import SmallCopy

REMOVED = [
    # before a noun
    ("a woman in a red dress", "a woman in a dress"),
    ("a black and white dog", "a dog"),
    ("A brown, white and black dog runs.", "A dog runs."),
    ("red and yellow flowers", "flowers"),
    ("a light blue shirt", "a shirt"),
    ("Two dark brown dogs", "Two dogs"),
    ("a white house", "a house"),
    ("a yellow lab and a chocolate lab", "a lab and a lab"),
    ("a blue-gray wall", "a wall"),
    ("a big, brown dog and a green, light-up toy", "a big dog and a light-up toy"),
    ("a red and striped shirt", "a striped shirt"),
    ("A large and colorful rock", "A large rock"),
    ("a colorful parrot, brightly colored kites, a multi-colored scarf", "a parrot, kites, a scarf"),
    ("a gold-colored ring and a cream colored couch", "a ring and a couch"),
    ("a navy blue suit and a cream sweater", "a suit and a sweater"),
    ("A color photograph of a dog", "A photograph of a dog"),
    ("black and white photo of a man", "photo of a man"),
    # articles follow the word that now comes after them
    ("an orange hat and a red apple", "a hat and an apple"),
    ("A white umbrella beside a blue unicycle", "An umbrella beside a unicycle"),
    # parts of people
    ("a brown haired girl and a blond-haired boy", "a girl and a boy"),
    ("a man with brown hair", "a man with hair"),
    ("a blonde in a bikini and two brunettes", "a person in a bikini and two people"),
    ("red-clad men with black-rimmed glasses", "men with rimmed glasses"),
    ("The blond haired and blue eyed child smiles.", "The child smiles."),
    # clothes
    ("the man is wearing black", "the man is wearing clothes"),
    ("A man wearing blue and white runs.", "A man runs."),
    ("a player in red kicks the ball", "a player kicks the ball"),
    ("The woman in black and white is dancing with a man in grey.", "The woman is dancing with a man."),
    ("a girl dressed in blue and white", "a girl"),
    ("A woman is dressed in black and holding a cup.", "A woman is dressed and holding a cup."),
    ("a woman in black and sunglasses", "a woman in sunglasses"),
    ("A man in a red jacket", "A man in a jacket"),
    # predicates stay sentences
    ("a dog that is brown", "a dog"),
    ("An object which is yellow, red and blue.", "An object."),
    ("The sky is blue.", "The sky is visible."),
    ("the buildings are brown and the sky is blue", "the buildings are visible and the sky is visible"),
    ("The melanoma is black and splotchy.", "The melanoma is splotchy."),
    ("a cafe painted blue", "a cafe painted"),
    # color words that stand for the noun
    ("A black and a white dog fight", "A dog and a dog fight"),
    ("Two black and one white dog", "Two dogs and one dog"),
    ("Two dogs, one brown and one white, run", "Two dogs run"),
    ("Two jockeys, one in yellow, one in blue, riding", "Two jockeys riding"),
    ("There are two dogs, one is black and the other is brown, playing.", "There are two dogs playing."),
    ("A dog holds something orange in its mouth.", "A dog holds something in its mouth."),
    ("a dog with patches of brown and black on its eye", "a dog with patches on its eye"),
    ("a small dog with brown on its face", "a small dog with markings on its face"),
    ("Dogs in different shades of brown are playing", "Dogs are playing"),
    ("the black one has a ball and chases a white one", "the one has a ball and chases one"),
    ("children on colored mats with many colored toys", "children on mats with toys"),
    # beginnings
    ("Black dog runs. White snow lies.", "Dog runs. Snow lies."),
    ("blue car", "car"),
    ("Red", ""),
]

KEPT = [
    "A blackboard, a greenhouse, a greyhound and a goldfish.",
    "an orange on a table",
    "people eating oranges and orange juice",
    "A Golden Retriever runs with a golden retriever.",
    "the White House",
    "a brown bear and a red fox",
    "a glass of red wine and green tea",
    "ice cream, a chocolate cake and a peach",
    "a dark-haired man with faded jeans",
    "a Navy ship",
    "a gold medal and a bronze statue",
    "a coral reef",
    "white-water rafting",
    "two tanned men in a tank",
    "",
]


@pytest.mark.parametrize(("caption", "expected"), REMOVED)
def test_color_words_go_and_a_sentence_stays(caption: str, expected: str) -> None:
    assert remove_color_words(caption) == expected
    assert remove_color_words(expected) == expected
    assert not names_color(expected)


@pytest.mark.parametrize("caption", KEPT)
def test_names_and_words_that_only_look_like_colors_stay(caption: str) -> None:
    assert remove_color_words(caption) == caption
    assert not names_color(caption)


def test_a_caption_is_tidied() -> None:
    assert tidy("  A man 's dog runs .\n") == "A man's dog runs."
    assert remove_color_words("A red , round ball , a bat .") == "A round ball, a bat."


def test_colorful_names_no_color() -> None:
    assert not names_color("a colorful parrot")
    assert names_color("a blue parrot")
    assert names_color("a cream sweater")


def halves(left: str, right: str) -> Image.Image:
    picture = Image.new("RGB", (90, 60), left)
    picture.paste(right, (60, 0, 90, 60))
    return picture


def main_colors(picture: Image.Image, *, min_share: float, max_colors: int) -> list[str]:
    return name_main_colors(SmallCopy.of(picture).colors(), min_share=min_share, max_colors=max_colors)


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("#000000", "black"),
        ("#ffffff", "white"),
        ("#808080", "grey"),
        ("#cc1010", "red"),
        ("#108020", "green"),
        ("#0d2b0d", "dark green"),
        ("#f0e020", "yellow"),
        ("#2040c0", "blue"),
        ("#a8cdf0", "light blue"),
        ("#6b4423", "brown"),
        ("#f28020", "orange"),
        ("#f090b8", "pink"),
        ("#7a2a9a", "purple"),
    ],
)
def test_basic_colors_have_their_names(code: str, name: str) -> None:
    assert main_colors(Image.new("RGB", (40, 30), code), min_share=0.1, max_colors=3) == [name]


def test_colors_come_by_share_and_greys_last() -> None:
    picture = halves("white", "#2040c0")
    picture.paste("#cc1010", (0, 0, 20, 60))
    assert main_colors(picture, min_share=0.1, max_colors=3) == ["blue", "red", "white"]
    assert main_colors(picture, min_share=0.3, max_colors=3) == ["blue", "white"]
    assert main_colors(picture, min_share=0.1, max_colors=1) == ["blue"]


def test_a_photograph_of_coffee_is_brown() -> None:
    colors = main_colors(Image.fromarray(skimage.data.coffee()), min_share=0.1, max_colors=3)
    assert colors[0].split()[-1] == "brown"
    assert colors == main_colors(Image.fromarray(skimage.data.coffee()), min_share=0.1, max_colors=3)


def test_names_in_a_sentence() -> None:
    assert list_in_words([]) == ""
    assert list_in_words(["red"]) == "red"
    assert list_in_words(["red", "light blue"]) == "red and light blue"
    assert list_in_words(["red", "blue", "white"]) == "red, blue and white"


def test_a_caption_with_colors_gives_both() -> None:
    texts = make_captions(["A dog in a red coat ."], "dog", SmallCopy.of(halves("blue", "white")), CaptionConfig())
    assert texts == ("A dog in a coat.", "A dog in a red coat.")


def test_a_caption_without_colors_gets_the_pictures_own() -> None:
    picture = SmallCopy.of(halves("#2040c0", "white"))
    plain = CaptionConfig()
    assert make_captions(["a dog runs"], None, picture, plain) == ("a dog runs", "a dog runs. Mainly blue and white.")
    assert make_captions(["A colorful bird."], None, picture, plain)[1] == "A colorful bird. Mainly blue and white."
    assert make_captions([], None, picture, plain) == ("", "Mainly blue and white.")
    assert make_captions(["a dog"], None, picture, CaptionConfig(max_colors=0)) == ("a dog", "a dog")
    tinted = CaptionConfig(color_template="in {colors}", max_colors=1)
    assert make_captions([], None, picture, tinted) == ("", "in blue")


def test_labels_and_templates() -> None:
    picture = SmallCopy.of(Image.new("RGB", (8, 8), "#cc1010"))
    config = CaptionConfig(label_template="a photo of {a_label}")
    assert make_captions([" "], "english_setter", picture, config)[0] == "a photo of an english setter"
    assert make_captions([], "ice climbing", picture, CaptionConfig())[0] == "a photo of ice climbing"


def test_which_of_several_captions() -> None:
    captions = ["a dog runs", "a big dog runs fast", "a red dog"]
    picture = SmallCopy.of(Image.new("RGB", (8, 8), "#cc1010"))
    chosen = [make_captions(captions, None, picture, CaptionConfig(choose=how))[0] for how in ("first", "longest")]
    assert chosen == captions[:2]
    assert make_captions(captions, None, picture, CaptionConfig(choose="colorful")) == ("a dog", "a red dog")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"choose": "best"}, r"captions\.choose must be one of first, longest, colorful; got 'best'"),
        ({"min_color_share": 0.0}, r"captions\.min_color_share must lie above 0 and be at most 1, got 0"),
        ({"max_colors": -1}, r"captions\.max_colors must be at least 0, got -1"),
        ({"model_batch_size": 0}, r"captions\.model_batch_size must be at least 1, got 0"),
        ({"label_template": "a photo"}, r"captions\.label_template must hold \{label\} or \{a_label\}, got 'a photo'"),
        ({"color_template": "colors"}, r"captions\.color_template must hold \{colors\}, got 'colors'"),
    ],
)
def test_settings_that_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        CaptionConfig(**settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def captioner_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained ViT-GPT2 of two layers, in the layout of the Hub."""
    folder = tmp_path_factory.mktemp("captioner")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "dog", "runs", "fast"]
    words_to_ids = Tokenizer(WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    words_to_ids.pre_tokenizer = Whitespace()
    names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "bos_token": "[CLS]", "eos_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=words_to_ids, **names).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    narrow = {"num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 16}
    config = VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        ViTConfig(intermediate_size=16, image_size=32, patch_size=16, **narrow),
        GPT2Config(vocab_size=len(words), n_positions=32, bos_token_id=2, eos_token_id=3, **narrow),
    )
    torch.manual_seed(0)
    model = VisionEncoderDecoderModel(config)
    model.generation_config.update(
        decoder_start_token_id=2, pad_token_id=0, eos_token_id=3, suppress_tokens=[0, 1, 2, 3]
    )
    model.save_pretrained(folder)
    return folder


def test_a_captioner_gives_every_picture_words(captioner_dir: Path) -> None:
    pictures = [Image.new("RGB", size, "red") for size in ((40, 30), (20, 50), (32, 32))]
    captioner = Captioner(CaptionConfig(model=str(captioner_dir), model_batch_size=2, model_max_tokens=4))
    captions = captioner.caption(pictures)
    assert len(captions) == 3
    assert all(len(caption.split()) == 4 for caption in captions)
    assert captions == captioner.caption(pictures)


def test_captioners_that_are_refused(captioner_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=r"captions\.model is null; name an image-to-text model"):
        Captioner(CaptionConfig())
    with pytest.raises(UnavailableError, match=r"is neither a folder with a model nor can it be fetched from the Hub"):
        Captioner(CaptionConfig(model=str(tmp_path / "absent")))
    with pytest.raises(SettingError, match=r"captions\.model_device 'abacus' is not here .* try auto or cpu"):
        Captioner(CaptionConfig(model=str(captioner_dir), model_device="abacus"))
    GPT2Config(n_layer=1, n_embd=8, n_head=2).save_pretrained(tmp_path)
    with pytest.raises(SettingError, match=r"captions\.model must be an image-to-text model"):
        Captioner(CaptionConfig(model=str(tmp_path)))
