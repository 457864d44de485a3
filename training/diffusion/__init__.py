"""What `training/train_controlnet.py` is made of: its recipes, the example scripts, their dataset and what follows."""
