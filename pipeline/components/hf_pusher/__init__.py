"""HFPusher: publishes a blessed model as a dated revision of a Hub repository, then the Space that answers from it.

component.py, executor.py   what TFX sees
findings.py                 what the components before it found, for the model card
fingerprint.py              what TFX's cache key cannot see of a publication

The publication itself is the work of `publishing`, which knows nothing of TFX.
"""
