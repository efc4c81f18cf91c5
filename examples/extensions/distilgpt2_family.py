"""A model family: DistilGPT-2 has GPT-2's network under a name of its own, and none of KerasHub's presets."""

from typing import ClassVar

from modules.models.family import Preset
from modules.models.gpt2.family import Gpt2Family
from publishing.card.family import FamilyFacts


class DistilGpt2Family(Gpt2Family):
    """GPT-2's network with fewer layers, learnt from a larger model."""

    name = "distilgpt2"
    published = FamilyFacts(label="DistilGPT-2", tag="distilgpt2", keras_prefix="GPT2")
    presets: ClassVar[dict[str, Preset]] = {}


FAMILY = DistilGpt2Family()
