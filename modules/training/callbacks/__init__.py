"""What follows a training, as Keras callbacks."""
