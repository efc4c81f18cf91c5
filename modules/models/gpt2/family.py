"""GPT-2 behind the seam that :class:`modules.models.family.ModelFamily` describes.

Source: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners". What needs a framework is imported
where it is used: settings and preflight read the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from modules.models.family import ModelFamily, Preset, Sizes
from modules.models.gpt2 import checkpoint
from modules.models.gpt2 import tokenizer as tokenizers_
from modules.models.matrix import FloatMatrix
from modules.models.model_files import model_folder, tensors
from publishing.card.family import FamilyFacts

if TYPE_CHECKING:
    from keras_hub.models import GPT2Backbone
    from tokenizers import Tokenizer

KERAS_VOCABULARY = "assets/tokenizer/vocabulary.json"
CONTEXT = 1024  # tokens; of every published GPT-2

PUBLISHED = FamilyFacts(
    label="GPT-2",
    tag="gpt2",
    keras_prefix="GPT2",
    base_models={
        "gpt2_base_en": "openai-community/gpt2",
        "gpt2_medium_en": "openai-community/gpt2-medium",
        "gpt2_large_en": "openai-community/gpt2-large",
        "gpt2_extra_large_en": "openai-community/gpt2-xl",
    },
)
PRESETS = {
    "gpt2_base_en": Preset(124_000_000, CONTEXT),
    "gpt2_base_en_cnn_dailymail": Preset(124_000_000, CONTEXT),
    "gpt2_medium_en": Preset(355_000_000, CONTEXT),
    "gpt2_large_en": Preset(774_000_000, CONTEXT),
    "gpt2_extra_large_en": Preset(1_558_000_000, CONTEXT),
}
# Weights that are worth sharing among devices, and the dimension that is cut, one that they divide. The rest is small.
SHARDED: Mapping[str, tuple[str | None, ...]] = {
    r".*token_embedding/embeddings": (None, "batch"),
    r".*position_embedding/.*embeddings": (None, "batch"),
    r".*self_attention/(query|key|value)/kernel": ("batch", None, None),
    r".*self_attention/attention_output/kernel": (None, None, "batch"),
    r".*feedforward_intermediate_dense/kernel": (None, "batch"),
    r".*feedforward_output_dense/kernel": ("batch", None),
}


class Gpt2Family(ModelFamily):
    """OpenAI's GPT-2, as KerasHub and Transformers have it."""

    name = "gpt2"
    published = PUBLISHED
    presets = PRESETS
    default_vocabulary_size = 50_257
    sharding = SHARDED

    def parameters(self, sizes: Sizes) -> int:
        width, inner = sizes.hidden_dim, sizes.intermediate_dim
        block = 4 * width * width + 2 * width * inner + 9 * width + inner
        return (sizes.vocabulary_size + sizes.max_sequence_length) * width + sizes.num_layers * block + 2 * width

    def read_sizes(self, folder: Path) -> Sizes:
        return checkpoint.read_sizes(*model_folder(folder))

    def folder_problems(self, folder: Path) -> Iterator[str]:
        folder, saved_as = model_folder(folder)
        sizes = checkpoint.read_sizes(folder, saved_as)
        if saved_as == "transformers":
            yield from checkpoint.shape_problems(tensors(folder), sizes)
            tokenizers_.check_fit(tokenizers_.read_vocabulary(folder)[0], sizes.vocabulary_size)
        elif (vocabulary := folder / KERAS_VOCABULARY).is_file():
            tokenizers_.check_fit(json.loads(vocabulary.read_text(encoding="utf-8")), sizes.vocabulary_size)

    def train_tokenizer(self, texts: Iterable[str], *, vocabulary_size: int) -> Tokenizer:
        return tokenizers_.train_tokenizer(texts, vocabulary_size=vocabulary_size)

    def load_tokenizer(self, folder: Path) -> Tokenizer:
        return tokenizers_.load_tokenizer(folder)

    def end_token_id(self, tokenizer: Tokenizer) -> int:
        return tokenizers_.end_token_id(tokenizer)

    def preset_tokenizer(self, preset: str) -> Tokenizer:
        from modules.models.gpt2 import weights

        return tokenizers_.from_keras(weights.preset_tokenizer(preset))

    def owns(self, backbone: Any) -> bool:
        import keras_hub

        return isinstance(backbone, keras_hub.models.GPT2Backbone)

    def build(self, sizes: Sizes, *, dropout: float, dtype: str) -> GPT2Backbone:
        from modules.models.gpt2 import network

        return network.build_backbone(**vars(sizes), dropout=dropout, dtype=dtype)

    def draw_weights(self, backbone: Any) -> None:
        from modules.models.gpt2 import initial_weights

        initial_weights.draw_weights(backbone)

    def load_preset(self, preset: str, *, dropout: float, dtype: str) -> tuple[GPT2Backbone, Tokenizer]:
        from modules.models.gpt2 import weights

        return weights.load_preset(preset, dropout=dropout, dtype=dtype)

    def load_transformers(self, folder: Path, *, dropout: float, dtype: str) -> tuple[GPT2Backbone, Tokenizer]:
        from modules.models.gpt2 import weights

        return weights.load_transformers(folder, dropout=dropout, dtype=dtype)

    def blocks(self, backbone: Any) -> Sequence[Any]:
        from modules.models.gpt2 import layers

        return layers.blocks(backbone)

    def norms(self, backbone: Any) -> Sequence[Any]:
        return (backbone.layer_norm,)

    def embeddings(self, backbone: Any) -> Sequence[Any]:
        return backbone.token_embedding.embeddings, backbone.position_embedding.position_embeddings

    def weights_in_order(self, backbone: Any) -> Iterator[Any]:
        from modules.models.gpt2 import layers

        return layers.weights_in_order(backbone)

    def prepare_for_training(self, backbone: Any) -> None:
        from modules.models.gpt2 import activation, layers

        for block in layers.blocks(backbone):
            block.intermediate.activation = activation.gelu

    def hidden_states(self, backbone: Any, token_ids: Any, *arguments: Any, **options: Any) -> Any:
        from modules.models.gpt2 import network

        return network.hidden_states(backbone, token_ids, *arguments, **options)

    def empty_caches(self, backbone: Any, *, rows: Any, length: Any) -> tuple[Any, ...]:
        from modules.models.gpt2 import network

        return network.empty_caches(backbone, rows=rows, length=length)

    def cached_hidden_states(self, backbone: Any, *arguments: Any) -> tuple[Any, list[Any]]:
        from modules.models.gpt2 import network

        return network.cached_hidden_states(backbone, *arguments)

    def graph_tokenizer(self, tokenizer: Tokenizer) -> Any:
        from modules.models.gpt2 import graph_tokenizer

        return graph_tokenizer.GraphTokenizer(tokenizer)

    def save_preset(self, backbone: Any, tokenizer: Tokenizer, folder: Path) -> None:
        import keras_hub

        preprocessor = keras_hub.models.GPT2CausalLMPreprocessor(
            tokenizers_.to_keras(tokenizer), sequence_length=backbone.max_sequence_length, add_start_token=False
        )
        keras_hub.models.GPT2CausalLM(backbone, preprocessor=preprocessor).save_to_preset(str(folder))

    def save_transformers(self, backbone: Any, tokenizer: Tokenizer, folder: Path) -> None:
        from modules.models.gpt2 import transformers_files

        transformers_files.save_transformers(backbone, tokenizer, folder)

    def ctranslate2_spec(self, backbone: Any, tokenizer: Tokenizer) -> Any:
        from modules.models.gpt2 import ctranslate2_spec

        return ctranslate2_spec.ctranslate2_spec(backbone, tokenizer)

    def save_gguf(self, backbone: Any, tokenizer: Tokenizer, file: Path, *, weights: str, chat_template: str) -> None:
        import gguf

        from modules.models.gpt2 import gguf_file

        stored = gguf.GGMLQuantizationType[weights]
        gguf_file.save_gguf(backbone, tokenizer, file, weights=stored, chat_template=chat_template)

    def save_onnx(self, backbone: Any, file: Path) -> None:
        from modules.models import onnx_file

        onnx_file.save_onnx(backbone, file)

    def save_adapter(self, backbone: Any, folder: Path, *, base: str) -> None:
        from modules.models.gpt2 import adapter_files

        adapter_files.save_adapter(backbone, folder, base=base)

    def reference_logits(
        self, folder: Path, *, matrix: Callable[[np.ndarray], Any] | None = None
    ) -> Callable[..., np.ndarray]:
        from modules.models.gpt2 import numpy_gpt2

        return numpy_gpt2.read_checkpoint(folder, matrix=matrix or FloatMatrix).logits

    def generator_logits(
        self, weights: Mapping[str, np.ndarray], *, matrix: Callable[[str], Any]
    ) -> Callable[..., np.ndarray]:
        from modules.models.gpt2 import numpy_gpt2

        return numpy_gpt2.network_of_generator(weights, matrix=matrix).logits

    def gguf_logits(self, file: Path) -> Callable[..., np.ndarray]:
        from modules.models.gpt2 import numpy_gpt2

        return numpy_gpt2.read_gguf(file).logits

    def preset_logits(self, folder: Path) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        import keras_hub

        backbone = keras_hub.models.GPT2CausalLM.from_preset(str(folder)).backbone

        def logits(token_ids: np.ndarray, lengths: np.ndarray) -> np.ndarray:
            mask = np.arange(token_ids.shape[1]) < lengths[:, None]
            hidden = np.asarray(backbone({"token_ids": token_ids, "padding_mask": mask}))  # [B, T, D]
            last = hidden[np.arange(len(lengths)), lengths - 1]  # [B, D]
            return np.asarray(backbone.token_embedding(last, reverse=True), np.float32)

        return logits


GPT2 = Gpt2Family()
