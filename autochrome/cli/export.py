"""`autochrome export`: a model as one ONNX file, for programs without torch."""

import argparse
from pathlib import Path


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Register the command."""
    parser = subparsers.add_parser(
        "export",
        help="write a model as an ONNX file",
        description="Write DIR/model.onnx: the network of a feedforward model, for any batch, height and width that "
        "are multiples of its size_multiple. The file's metadata say what goes in and what comes out, and hold the "
        "architecture and the settings' defaults. Before it is written, ONNX Runtime's answer is compared with "
        "torch's. Of a blend, export its halves. Exit code 0: done, 2: refused, the reason is said.",
    )
    parser.add_argument("model", metavar="MODEL", help="an id of the catalog, a folder, or owner/name of the Hub")
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="where model.onnx goes")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export, and say where the file is."""
    from autochrome.catalog import load_pipeline
    from autochrome.errors import SettingError
    from autochrome.files import replacing
    from autochrome.pipelines import BlendPipeline, FeedforwardPipeline

    pipeline = load_pipeline(args.model, device="cpu")
    if isinstance(pipeline, BlendPipeline):
        halves = " and ".join(half.model_id for half in pipeline.halves)
        raise SettingError(f"{pipeline.model_id} is the mean of several networks; export {halves}, and take the mean")
    if not isinstance(pipeline, FeedforwardPipeline):
        raise SettingError(f"only feedforward models can be exported to ONNX, and {args.model} is none")
    content = pipeline.export_onnx()
    path = args.output / "model.onnx"
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    print(f"{path}: {len(content) / 1e6:.1f} MB; ONNX Runtime gives torch's answer")
    return 0
