"""Training: each trainer is one file to read from top to bottom; what it uses stands beside it."""
