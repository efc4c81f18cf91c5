"""An exported form: the Transformers checkpoint with weights in float16, which takes half the room."""

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from modules.exports import ExportForm, TrainedModel
from modules.models.families import family_of
from publishing.exports import Export

SNIPPET = """\
Transformers, in float16:

    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained("<<repo_id>>", revision="<<revision>>", subfolder="float16")
"""


def write_float16(model: TrainedModel, folder: Path) -> None:
    """Writes a Transformers checkpoint, then its weights again with half the bits."""
    family_of(model.backbone).save_transformers(model.backbone, model.tokenizer, folder)
    weights = folder / "model.safetensors"
    halved = {name: values.astype(np.float16) for name, values in load_file(weights).items()}
    save_file(halved, weights, metadata={"format": "pt"})


FLOAT16 = ExportForm(
    published=Export(
        name="float16",
        model_folder="exports/float16",
        revision_folder="float16",
        library_name="transformers",
        snippet=SNIPPET,
    ),
    label="Transformers, float16",
    bytes_per_parameter=2,
    write=write_float16,
)
