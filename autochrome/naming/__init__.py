"""Main colors of pictures, and their names."""

from autochrome.naming.main_colors import anchor_of, cluster_colors, list_in_words, name_colors, name_main_colors

__all__ = ["anchor_of", "cluster_colors", "list_in_words", "name_colors", "name_main_colors"]
