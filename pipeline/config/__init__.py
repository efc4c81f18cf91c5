"""The configuration of a run: one typed, frozen, validated model, a module for each of its groups.

The groups of what Tuner and Trainer do are those of :mod:`modules.settings`, composed here with the others. All their
fields are the command line's flags, the environment's variables and the profiles' keys; see
:mod:`pipeline.config.sources` for how these are read and which one wins.
"""

from pipeline.config.pipeline import PipelineConfig

__all__ = ["PipelineConfig"]
