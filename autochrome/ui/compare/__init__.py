"""The tab Compare: one photograph through all models, side by side."""
