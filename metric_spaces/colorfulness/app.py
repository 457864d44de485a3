"""The metric's page as a Space: pictures in, numbers out.

`evaluate.utils.launch_gradio_widget` would be shorter, but it needs Gradio 3 and has no place to drop a picture.
"""

from pathlib import Path
from typing import Any

import evaluate
import gradio as gr

MODULE = "colorfulness.py"

metric = evaluate.load(str(Path(__file__).with_name(MODULE)))


def score(*pictures: str | None) -> Any:
    """The metric's values for one picture of each input, given as a path.

    Raises `gr.Error`, which the page shows, when a picture is missing, cannot be read or differs in size.
    """
    if None in pictures:
        raise gr.Error(f"Give a picture for each of: {', '.join(metric.features)}.")
    try:
        return metric.compute(**{name: [path] for name, path in zip(metric.features, pictures, strict=True)})
    except ValueError as error:
        raise gr.Error(str(error)) from error


demo = gr.Interface(
    score,
    # Without a mode the file itself is scored, not a copy of it in another format.
    inputs=[gr.Image(type="filepath", image_mode=None, label=name) for name in metric.features],
    outputs=gr.JSON(label=metric.name),
    title=metric.name,
    description=metric.description,
    api_name="compute",
    flagging_mode="never",
)

if __name__ == "__main__":
    demo.launch()
