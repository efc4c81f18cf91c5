"""From rows to trained weights: batches, optimizer, callbacks, checkpoints, devices; any Keras backend."""
