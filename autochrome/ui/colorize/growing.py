"""The picture as it grows, step by step, with the progress below it."""

from html import escape

from autochrome.ui.plots import bar
from autochrome.ui.steering.encoding import as_jpeg
from autochrome.ui.steps import Step


def growing_html(step: Step, light: str | None) -> str:
    """What a model's picture looks like after a step.

    A step's picture is small. The browser lays its color over the photograph that it shows already, so that what grows
    has the photograph's own light at full size, and nothing is computed or sent for that.

    Args:
        step: how far the run has come.
        light: address of the photograph; None for a run that does not keep its light.
    """
    width, height = step.picture.size
    below = "" if light is None else f'<img class="growing-light" src="{escape(light)}" alt="">'
    words = f"Step {step.number} of {step.total}"
    return (
        f'<figure class="growing"><div class="growing-picture" style="--shape: {width / height:.4f}">{below}'
        f'<img class="growing-color" src="{as_jpeg(step.picture)}" alt="The picture after s{words[1:]}"></div>'
        f"<figcaption>{bar(step.number, step.total)}<span>{words}</span></figcaption></figure>"
    )
