"""What follows a training, as Keras callbacks; :mod:`modules.training.callbacks.base` tells how they are called."""
