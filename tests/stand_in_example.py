"""A stand-in for diffusers' examples/controlnet/train_controlnet.py: it trains nothing.

It takes some of the real one's arguments, records them, opens the dataset as the real one does, writes checkpoints of
the real one's names, and at the end an untrained ControlNet. The real ones need torchvision, a base worth training and
time; they were run by hand.
"""

import argparse
import json
import random
import sys
import time
from pathlib import Path


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pretrained_model_name_or_path", type=str, default=None, required=True)
    parser.add_argument("--controlnet_model_name_or_path", type=str, default=None)
    parser.add_argument("--output_dir", type=str, default="controlnet-model")
    parser.add_argument("--dataset_name", type=str, default=None)
    parser.add_argument("--image_column", type=str, default="image")
    parser.add_argument("--conditioning_image_column", type=str, default="conditioning_image")
    parser.add_argument("--caption_column", type=str, default="text")
    parser.add_argument("--resolution", type=int, default=512)
    parser.add_argument("--train_batch_size", type=int, default=4)
    parser.add_argument("--gradient_accumulation_steps", type=int, default=1)
    parser.add_argument("--num_train_epochs", type=int, default=1)
    parser.add_argument("--max_train_samples", type=int, default=None)
    parser.add_argument("--max_train_steps", type=int, default=None)
    parser.add_argument("--checkpointing_steps", type=int, default=500)
    parser.add_argument("--proportion_empty_prompts", type=float, default=0)
    parser.add_argument("--learning_rate", type=float, default=5e-6)
    parser.add_argument("--lr_scheduler", type=str, default="constant", choices=["constant", "cosine"])
    parser.add_argument("--validation_prompt", type=str, default=None, nargs="+")
    parser.add_argument("--gradient_checkpointing", action="store_true")
    parser.add_argument("--use_8bit_adam", action="store_true")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--resume_from_checkpoint", type=str, default=None)
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    output = Path(args.output_dir)
    output.mkdir(parents=True, exist_ok=True)
    begin = 0
    if args.resume_from_checkpoint == "latest":
        begin = max(int(path.name.rsplit("-", 1)[1]) for path in output.glob("checkpoint-*"))
    if args.seed == 13:
        sys.stderr.write("the stand-in was told to fail\n")
        sys.exit(7)

    from datasets import load_dataset

    rows = load_dataset(args.dataset_name, cache_dir=str(output / "datasets"))["train"]
    seen = {
        "sizes": sorted({row[args.image_column].size for row in rows}),
        "modes": sorted({row[args.conditioning_image_column].convert("RGB").mode for row in rows}),
        "captions": [row[args.caption_column] for row in rows],
        "drawn": random.Random(0).choice(rows[0][args.caption_column]),
    }
    (output / "seen.json").write_text(json.dumps({"arguments": vars(args), "begin": begin, **seen}), encoding="utf-8")
    for step in range(begin + 1, args.max_train_steps + 1):
        checkpoint = output / f"checkpoint-{step}"
        checkpoint.mkdir()
        (checkpoint / "random_states_0.pkl").touch()
        sys.stderr.write(f"\rSteps: {step}/{args.max_train_steps}, 1.0it/s")
        time.sleep(0.0 if args.resume_from_checkpoint else 0.2)

    from tiny_diffusion import make_controlnet

    make_controlnet(Path(args.pretrained_model_name_or_path), output)


if __name__ == "__main__":
    main()
