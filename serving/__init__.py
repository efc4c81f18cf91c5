"""The HTTP API and the generate command over an exported revision: no TFX, no TensorFlow, no PyTorch."""
