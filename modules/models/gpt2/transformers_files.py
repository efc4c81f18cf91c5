"""GPT-2 as Transformers reads it, written without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modules.models.gpt2.tokenizer import end_token_id, save_tokenizer
from modules.prompts.format import END_TOKEN

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone
    from tokenizers import Tokenizer


def save_transformers(backbone: GPT2Backbone, tokenizer: Tokenizer, folder: Path) -> None:
    """Writes weights, configuration and tokenizer; the folder is made."""
    backbone.export_to_transformers(str(folder))
    end_id = end_token_id(tokenizer)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    # KerasHub writes GPT-2's own end token id, whatever the vocabulary.
    config |= {
        "bos_token_id": end_id,
        "eos_token_id": end_id,
        "architectures": ["GPT2LMHeadModel"],
        "tie_word_embeddings": True,
        "dtype": "float32",
    }
    _write_json(folder / "config.json", config)
    save_tokenizer(tokenizer, folder)
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "GPT2Tokenizer",
            "bos_token": END_TOKEN,
            "eos_token": END_TOKEN,
            "unk_token": END_TOKEN,
            "pad_token": END_TOKEN,
            "add_prefix_space": False,
            "model_max_length": backbone.max_sequence_length,
            "clean_up_tokenization_spaces": False,
            # As all forms do: of a prompt that is too long, the end counts; a batch is padded before its prompts.
            "truncation_side": "left",
            "padding_side": "left",
        },
    )
    _write_json(
        folder / "special_tokens_map.json",
        {"bos_token": END_TOKEN, "eos_token": END_TOKEN, "unk_token": END_TOKEN, "pad_token": END_TOKEN},
    )


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
