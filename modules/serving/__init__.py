"""The trained model as it is served: decoding and scores in a TensorFlow graph."""
