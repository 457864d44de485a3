"""The tab Batch: many files or .zip archives in, one .zip with the results out."""
