"""From prompts and responses to training batches; NumPy only."""
