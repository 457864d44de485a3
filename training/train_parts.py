"""Train what diffusers' example scripts freeze: `python -m training.train_parts CONFIG [key=value ...] [--resume]`.

The example scripts train a U-Net and a ControlNet; autoencoder, tokenizer and text encoder they take as they are. So
these come first. The result, `OUTPUT/base`, is a whole Stable Diffusion of small size whose U-Net knows nothing yet:
`python -m training.train_controlnet training/configs/base-mini.yaml` goes on from there.
"""

import argparse
import sys
from pathlib import Path

from autochrome.errors import AutochromeError, DataError
from training.diffusion.preparing import prepare
from training.parts.config import PartsConfig, load_parts_config
from training.parts.data import load_split

CAPTIONS = {"text": 1, "text_color": 2, "empty": 1}
"""As in base-mini, so that the same prepared copy serves both."""


def main(arguments: list[str] | None = None) -> int:
    """Command-line entry; exit code 2 for anything wrong, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m training.train_parts", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("config", type=Path, help="a recipe, see training/configs/diffusion-parts.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="entries of the recipe to change")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoints; finished parts stay")
    parser.add_argument("--dry-run", action="store_true", help="check everything, print the recipe, train nothing")
    options = parser.parse_intermixed_args(arguments)
    try:
        run(load_parts_config(options.config, options.overrides), resume=options.resume, dry_run=options.dry_run)
    except AutochromeError as error:
        print(f"train_parts: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("train_parts: stopped; the same command with --resume goes on from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def run(config: PartsConfig, *, resume: bool, dry_run: bool = False) -> None:
    """Train the stages that the recipe names, then write the base where all parts are there.

    Raises:
        DataError: no dataset is there, or a folder that the recipe names.
        SettingError: an entry cannot be.
        ModelError: a checkpoint belongs to another recipe.
    """
    output = Path(config.output_dir)
    if output.exists() and any(output.iterdir()) and not resume and config.stages == ["autoencoder", "text_encoder"]:
        raise DataError(f"'{output}' is not empty; go on with --resume, or name another output_dir")
    if "text_encoder" in config.stages:
        for folder in (config.text.sentence_encoder, config.text.backbone):
            if not (Path(folder) / "config.json").is_file():
                raise DataError(
                    f"no model in '{folder}'; "
                    "the text encoder learns from it: set text.sentence_encoder and text.backbone"
                )
    if dry_run:
        print(config)
        return
    # Here: diffusers costs seconds, and a wrong recipe should not wait for it.
    from training.parts.autoencoder import train_autoencoder
    from training.parts.folder import write_base
    from training.parts.text_encoder import train_text_encoder

    prepared = prepare(Path(config.dataset_dir), Path(config.cache_dir), size_px=config.size_px, captions=CAPTIONS)
    train, validation = (load_split(prepared, split) for split in ("train", "validation"))
    if "autoencoder" in config.stages and not (resume and (output / "vae").exists()):
        train_autoencoder(config, train.pictures, validation.pictures, output, resume=resume)
    if "text_encoder" in config.stages and not (resume and (output / "text_encoder").exists()):
        train_text_encoder(config, train, validation, output, resume=resume)
    if all((output / part).exists() for part in ("vae", "tokenizer", "text_encoder")):
        print(f"the base is in {write_base(config, output)}")


if __name__ == "__main__":
    sys.exit(main())
