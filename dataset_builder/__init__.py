"""From photographs as people have them to a dataset of grey and colour pairs: `python -m dataset_builder --help`."""
