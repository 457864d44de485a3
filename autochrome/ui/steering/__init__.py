"""Direction on the page: points, strokes, a palette and an exemplar, and what they do to the picture, at once."""
