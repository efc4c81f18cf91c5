"""ModelDownloader: a published model as an artifact, for Trainer to start from or for Evaluator to compare with.

The downloads themselves are the work of `publishing.downloads`, which knows nothing of TFX.
"""
