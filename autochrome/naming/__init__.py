"""Main colors of pictures, and their names.

The color words of captions are in `naming.captions` and `naming.color_words`, imported from there: their rules take a
quarter of a second to compile, which the page has no use for.
"""

from autochrome.naming.main_colors import anchor_of, cluster_colors, list_in_words, name_colors, name_main_colors

__all__ = ["anchor_of", "cluster_colors", "list_in_words", "name_colors", "name_main_colors"]
