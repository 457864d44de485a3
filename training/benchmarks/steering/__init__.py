"""How well a model takes direction: points, words, palettes, exemplars and suggestions."""
