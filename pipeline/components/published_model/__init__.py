"""PublishedModel: what a Hub repository's ``main`` serves, as an artifact to compare with.

For runners without a memory of earlier runs, such as Kubeflow, whose metadata store pipelines cannot look into: the
last blessed model is the one that was published last.
"""
