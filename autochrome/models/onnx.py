"""ONNX: a `Colorizer` as one file for other programs, and ONNX Runtime in torch's place on a CPU.

The graph comes from torch's older exporter, which records one pass. It takes 0.2 to 0.5 s, so a session is made from
the loaded weights each time, and there is no file that could be older than its weights; the newer one (`dynamo=True`)
takes 5 to 18 s for the same graph. What a recorded pass could get wrong, a size that was taken for a constant, is
looked for after every export: other sizes and another batch must give torch's answer.
"""

import importlib.util
import io
import json
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from autochrome import __version__
from autochrome.color import AB_SCALE
from autochrome.errors import ModelError, SettingError, UnavailableError
from autochrome.models.generator import Colorizer

INPUT, OUTPUT = "lightness", "ab_normalized"
OPSET = 18
MAX_DIFFERENCE = 0.01
"""Lab units by which an exported network's a*b* may differ from torch's; the embedded ones differ by 0.00001."""

_EXPORTING = threading.Lock()  # the exporter keeps its state in globals


class OnnxColorizer:
    """A colorizer that ONNX Runtime runs, called as the `Colorizer` is; may be called from several threads at once."""

    def __init__(self, model: Colorizer) -> None:
        """Make a session with as many threads as torch has now.

        Args:
            model: in evaluation mode, on the CPU, in float32.

        Raises:
            UnavailableError, SettingError, ModelError: as in `export_onnx`.
        """
        _require_exportable(model)
        self._session = _start_checked(model, _record(model))

    def __call__(self, lightness: Tensor) -> Tensor:
        """L* `(B, 1, H, W)` in 0..100 to ab_normalized `(B, 2, H / stride, W / stride)`, float32 on the CPU."""
        return _run(self._session, lightness)


def export_onnx(model: Colorizer, notes: Mapping[str, str] | None = None) -> bytes:
    """A colorizer as the content of an .onnx file: batch, height and width are free.

    Input `lightness`: float32 `(B, 1, H, W)`, L* in 0..100, H and W multiples of `size_multiple`. Output
    `ab_normalized`: float32 `(B, 2, H / stride, W / stride)`, a*b* / 110. The file's metadata say so too.

    Args:
        model: in evaluation mode, on the CPU, in float32.
        notes: more entries for the metadata.

    Raises:
        UnavailableError: the extra `onnx` is not installed.
        SettingError: the model takes directions (words, hints), for which the file would have no inputs.
        ModelError: the exported network does not give torch's answer.
    """
    _require_exportable(model)
    content = _with_metadata(_record(model), {**_describe(model), **(notes or {})})
    _start_checked(model, content)
    return content


def is_installed() -> bool:
    """Whether the extra `onnx` is there; imports nothing."""
    return all(importlib.util.find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def _require_exportable(model: Colorizer) -> None:
    if not is_installed():
        raise UnavailableError("ONNX needs onnx and onnxruntime; install them with: pip install 'autochrome[onnx]'")
    if model.takes_directions:
        raise SettingError(
            "a model that takes directions (words, hints, a palette) cannot be exported to ONNX nor run by it: there "
            "are no inputs for them; run it with torch"
        )


def _record(model: Colorizer) -> bytes:
    file = io.BytesIO()
    side = model.size_multiple
    example = torch.full((1, 1, 2 * side, 3 * side), 50.0)
    free = {0: "batch", 2: "height", 3: "width"}
    with _EXPORTING, warnings.catch_warnings(), torch.inference_mode():
        # Of what it warns, sizes taken for constants and its own age, the first is checked and the second known.
        warnings.simplefilter("ignore")
        model(example)  # what is made once and kept, such as a table of bins, is made outside the recording
        torch.onnx.export(
            model,
            (example,),
            cast(Any, file),
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: {0: "batch", 2: "ab_height", 3: "ab_width"}},
        )
    return file.getvalue()


def _describe(model: Colorizer) -> dict[str, str]:
    """What a program needs to know to run the file without this package."""
    multiple, stride = model.size_multiple, model.output_stride
    return {
        "autochrome_version": __version__,
        "config": json.dumps(model.config.to_dict(), sort_keys=True),
        "size_multiple": str(multiple),
        "output_stride": str(stride),
        "ab_scale": str(AB_SCALE),
        "preprocessing": "sRGB to linear light (IEC 61966-2-1) to CIELAB (D65, 2 degrees); keep L* (0..100); resize it "
        f"bilinearly with antialiasing, aspect ratio kept, to sides that are multiples of {multiple}",
        "postprocessing": f"a*b* = {AB_SCALE:g} x {OUTPUT}, clipped to [-{AB_SCALE:g}, {AB_SCALE:g}], 1 / {stride} of "
        "the input's size; enlarge them and join them with the photograph's own L* at full size",
    }


def _with_metadata(content: bytes, entries: Mapping[str, str]) -> bytes:
    import onnx

    graph = onnx.load_from_string(content)
    graph.doc_string = "Color for black-and-white photographs: L* of CIELAB in, a*b* out."
    graph.graph.input[0].doc_string = "L* of CIELAB (D65), 0..100; sides are multiples of size_multiple"
    graph.graph.output[0].doc_string = "a*b* of CIELAB divided by ab_scale, at 1 / output_stride of the input's size"
    onnx.helper.set_model_props(graph, dict(entries))
    onnx.checker.check_model(graph, full_check=True)
    whole: bytes = graph.SerializeToString()
    return whole


def _start_checked(model: Colorizer, content: bytes) -> Any:
    """A session of ONNX Runtime that gives torch's answer, at sizes and a batch that were not recorded."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # Threads that spin while idle take the cores from torch, which does the rest of the work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    side = model.size_multiple
    noise = torch.Generator().manual_seed(0)
    for shape in ((2, 1, 3 * side, 2 * side), (1, 1, 2 * side, 5 * side)):
        lightness = 100 * torch.rand(shape, generator=noise)
        with torch.inference_mode():
            difference = (model(lightness) - _run(session, lightness)).abs().max().item() * AB_SCALE
        if not difference <= MAX_DIFFERENCE:  # NaN is no agreement
            raise ModelError(
                f"the network does not survive the export to ONNX: a*b* differ from torch's by {difference:.3g}, "
                f"allowed is {MAX_DIFFERENCE:g}; run it with torch"
            )
    return session


def _run(session: Any, lightness: Tensor) -> Tensor:
    run: Callable[..., list[Any]] = session.run
    return torch.from_numpy(run([OUTPUT], {INPUT: lightness.contiguous().numpy()})[0])
