"""Code that runs inside Transform and Trainer: prompts, data path, model, training, serving, export."""
