"""Adapters alone, over the model that they were trained on, as PEFT reads them.

There is none where embeddings were trained too: then adapters alone would not be the model.
"""

from __future__ import annotations

import logging
from pathlib import Path

from modules.exports.form import ExportForm, TrainedModel
from modules.models.families import family_of
from modules.models.family import ModelFamily

logger = logging.getLogger(__name__)

CARD_SNIPPET = """
PEFT (the trained adapter alone, over the model that it was trained on):

```python
from peft import PeftConfig, PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

adapter = {"revision": "<<revision>>", "subfolder": "adapter"}
base = PeftConfig.from_pretrained("<<repo_id>>", **adapter).base_model_name_or_path
model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), "<<repo_id>>", **adapter)
tokenizer = AutoTokenizer.from_pretrained("<<repo_id>>", revision="<<revision>>")
prompt = "<<prompt>>"
tokens = tokenizer(prompt, return_tensors="pt")
answer = model.generate(**tokens, max_new_tokens=<<max_new_tokens>>, eos_token_id=<<end_token_id>>)
print(tokenizer.decode(answer[0][tokens["input_ids"].shape[1]:], skip_special_tokens=True))
```
"""


def base_name(family: ModelFamily, preset: str) -> str:
    """Returns what the adapters belong to: a repository's id if there is one, or the last part of a folder's path."""
    if preset.startswith("hub:"):
        return preset.removeprefix("hub:").partition("@")[0]
    known = family.presets.get(preset)
    if known is not None and known.repo_id is not None:
        return known.repo_id
    return Path(preset).name if Path(preset).is_dir() else preset


def write(model: TrainedModel, folder: Path) -> None:
    """Writes the adapters; the folder is made."""
    family = family_of(model.backbone)
    family.save_adapter(model.backbone, folder, base=base_name(family, str(model.preset)))


def applies(model: TrainedModel) -> bool:
    """Returns whether the model is what its adapters make of the initial one."""
    from modules.models.lora import has_adapters

    if not has_adapters(model.backbone):
        return False
    if any(variable.trainable for variable in family_of(model.backbone).embeddings(model.backbone)):
        logger.info("No adapter is written: the embeddings were trained too, only the merged model is whole.")
        return False
    return True


ADAPTER = ExportForm(
    name="adapter",
    label="LoRA adapter",
    library="peft",
    bytes_per_parameter=0,  # too few to count
    write=write,
    card_snippet=CARD_SNIPPET,
    written_by="trainer",
    applies=applies,
)
