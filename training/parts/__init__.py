"""What diffusers' example scripts freeze in a small latent diffusion model: autoencoder, tokenizer, text encoder."""
