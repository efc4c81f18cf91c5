"""The training run: optimizer steps, checkpoints, evaluation as it goes on, devices. Any Keras backend."""
