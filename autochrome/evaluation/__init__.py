"""Folders of pictures, made by any system, against the true colors: scores, statistics and comparisons.

Nothing here knows a model: pictures come from a folder or a .zip archive and are matched with their references by path.
"""

from autochrome.evaluation.comparing import compare
from autochrome.evaluation.conventions import CONVENTIONS
from autochrome.evaluation.evaluating import evaluate
from autochrome.evaluation.matching import Matches, Pair, match, read

__all__ = ["CONVENTIONS", "Matches", "Pair", "compare", "evaluate", "match", "read"]
