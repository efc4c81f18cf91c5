"""Prompts and tokens: where a row becomes text, and text tokens, here and in a TensorFlow graph."""
