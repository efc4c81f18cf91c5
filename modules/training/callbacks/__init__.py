"""Keras callbacks that follow a training; :mod:`modules.training.callbacks.base` explains how they are called."""
