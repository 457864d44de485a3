"""The Hugging Face Hub: models pushed and pulled, the Space deployed, and what every push shares.

    model.py     push_model, pull_model: a model's folder with its card; config.json and model.safetensors back
    diffusion.py the files of diffusion models and ControlNets, and how they are fetched
    space.py     collect_space, deploy_space: the demo, only what it needs to run
    pushing.py   push_files: what these, and the datasets, are sent with
    access.py    names, the token, what the Hub's refusals mean

The token is that of the environment variable HF_TOKEN; one that was saved by `hf auth login` is not looked for. The
client is imported when it is needed, and reads HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE then.
"""
