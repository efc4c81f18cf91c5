"""The trained model as it is served: generation and scores in a TensorFlow graph, and every exported form."""
