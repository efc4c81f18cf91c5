"""What a run is made of: one typed, frozen, validated model, a module for each of its groups.

Its fields are the command line's flags, the environment's variables and the profiles' keys; see
:mod:`pipeline.config.sources` for how these are read and which one wins. Only ``create_pipeline`` and
``run_fn`` see it; below them, plain parameters.
"""

from pipeline.config.pipeline import PipelineConfig

__all__ = ["PipelineConfig"]
