"""The interface of a model family to the rest of the project: the seam behind which one module per family knows its
layers.

Training, exports, gate, publishing and report ask a :class:`ModelFamily`; none of them names a layer of one. What every
KerasHub backbone has (``token_embedding``, ``hidden_dim``, ``num_layers`` and the other sizes) is not the family's.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from publishing.card.family import FamilyFacts

if TYPE_CHECKING:
    import numpy as np
    from keras_hub.models import Backbone
    from tokenizers import Tokenizer


@dataclass(frozen=True)
class Sizes:
    """A model's sizes; fields are called as KerasHub's arguments."""

    vocabulary_size: int
    num_layers: int
    num_heads: int
    hidden_dim: int
    intermediate_dim: int
    max_sequence_length: int

    @classmethod
    def of(cls, backbone: Backbone) -> Sizes:
        """Returns the sizes of a model in memory."""
        return cls(**{name: getattr(backbone, name) for name in cls.__dataclass_fields__})


class Preset(NamedTuple):
    """A published model that training can start from.

    Attributes:
        parameters: about how many.
        context: in tokens.
    """

    parameters: int
    context: int


class Kernel(NamedTuple):
    """The kernel of a layer, which may be quantised or have an adapter."""

    layer: Any


class Block(Protocol):
    """The layers of one block that own weights, by their role."""

    @property
    def norms(self) -> Sequence[Any]:
        """Returns its normalisations, with ``gamma`` and ``beta``."""

    @property
    def dense(self) -> Sequence[Any]:
        """Returns the layers that multiply with a kernel."""

    def adapter_targets(self, target: str) -> Sequence[Any]:
        """Returns the layers that a value of ``training.lora_targets`` means."""


class ModelFamily(abc.ABC):
    """Facts about one family, which are kept nowhere else."""

    name: str
    """What ``model.family`` calls it."""

    published: FamilyFacts
    """What the model card says of it."""

    presets: Mapping[str, Preset]
    """KerasHub's, by name."""

    default_vocabulary_size: int
    """Of the published models' tokenizer."""

    sharding: Mapping[str, tuple[str | None, ...]]
    """Pattern of a large weight's path → which of its dimensions devices may share ("batch")."""

    # Without a framework: files, sizes, tokenizers.

    @abc.abstractmethod
    def parameters(self, sizes: Sizes) -> int:
        """Returns how many parameters a model of these sizes has."""

    @abc.abstractmethod
    def read_sizes(self, folder: Path) -> Sizes:
        """Returns the sizes of the model in `folder`, a KerasHub preset or a Transformers checkpoint.

        Raises:
            CheckpointError: If it is none of this family.
        """

    @abc.abstractmethod
    def folder_problems(self, folder: Path) -> Iterator[str]:
        """Yields what keeps the model in `folder` from being loaded: shapes, tensors, tokenizer.

        Raises:
            CheckpointError: If it holds no model of this family.
            TokenizerError: If its tokenizer does not fit.
        """

    @abc.abstractmethod
    def train_tokenizer(self, texts: Iterable[str], *, vocabulary_size: int) -> Tokenizer:
        """Returns a tokenizer of the family's kind, learnt from `texts`."""

    @abc.abstractmethod
    def load_tokenizer(self, folder: Path) -> Tokenizer:
        """Returns the tokenizer in `folder`, in the files that Transformers writes."""

    @abc.abstractmethod
    def end_token_id(self, tokenizer: Tokenizer) -> int:
        """Returns the id of the token that ends an answer."""

    @abc.abstractmethod
    def preset_tokenizer(self, preset: str) -> Tokenizer:
        """Returns the tokenizer of a KerasHub preset.

        Raises:
            PresetError: If it is unknown, damaged, or cannot be downloaded.
        """

    # With Keras: the network.

    @abc.abstractmethod
    def owns(self, backbone: Backbone) -> bool:
        """Returns whether a backbone is of this family."""

    @abc.abstractmethod
    def build(self, sizes: Sizes, *, dropout: float, dtype: str) -> Backbone:
        """Returns a model with KerasHub's random weights."""

    @abc.abstractmethod
    def draw_weights(self, backbone: Backbone) -> None:
        """Draws the weights that a model trained from scratch begins with, in place, from Keras' global seed."""

    @abc.abstractmethod
    def load_preset(self, preset: str, *, dropout: float, dtype: str) -> tuple[Backbone, Tokenizer]:
        """Returns backbone and tokenizer of a KerasHub preset: its name, a handle, or a folder.

        Raises:
            PresetError: If it is unknown, damaged, or the download fails.
            TokenizerError: If its tokenizer does not fit the model.
        """

    @abc.abstractmethod
    def load_transformers(self, folder: Path, *, dropout: float, dtype: str) -> tuple[Backbone, Tokenizer]:
        """Returns backbone and tokenizer of a Transformers checkpoint; PyTorch is not needed.

        Raises:
            CheckpointError: If it is not a whole one in safetensors; with the layers and both shapes.
            TokenizerError: If its tokenizer does not fit the model.
        """

    @abc.abstractmethod
    def blocks(self, backbone: Backbone) -> Sequence[Block]:
        """Returns every block's layers, from the first to the last."""

    @abc.abstractmethod
    def norms(self, backbone: Backbone) -> Sequence[Any]:
        """Returns the normalisations outside of blocks."""

    @abc.abstractmethod
    def embeddings(self, backbone: Backbone) -> Sequence[Any]:
        """Returns the variables of the embeddings."""

    @abc.abstractmethod
    def weights_in_order(self, backbone: Backbone) -> Iterator[Any]:
        """Yields variables, and :class:`Kernel` for kernels, in the order of a plain backbone's ``weights``."""

    @abc.abstractmethod
    def prepare_for_training(self, backbone: Backbone) -> None:
        """Puts in, in place, what computes the same with less memory."""

    @abc.abstractmethod
    def hidden_states(
        self,
        backbone: Backbone,
        token_ids: Any,
        positions: Any = None,
        mask: Any = None,
        *,
        training: bool | None = None,
        wrap_block: Callable[[Any], Any] = lambda block: block,
    ) -> Any:
        """Returns what the backbone makes of whole rows, for training and scoring; on symbolic inputs or arrays.

        Logits are ``hidden @ embedding.T``.

        Args:
            backbone: the model; its own layers run, nothing is copied.
            token_ids: int32 [B, T].
            positions: int32 [B, T]; without them they count from 0 in every row.
            mask: bool [B, T, T], true where the row's token may see the column's; causality is added to it. Without
                it a token sees all before it.
            training: whether dropout is on; without it, whatever the surrounding model is doing.
            wrap_block: gives what runs in place of a block.

        Returns:
            float [B, T, D] in the backbone's compute dtype.
        """

    @abc.abstractmethod
    def empty_caches(self, backbone: Backbone, *, rows: Any, length: Any) -> tuple[Any, ...]:
        """Returns room for what generation keeps of earlier tokens, per block: zeros [B, 2, L, heads, head_dim].

        Args:
            backbone: the model.
            rows: int32 [], B.
            length: int32 [], L.
        """

    @abc.abstractmethod
    def cached_hidden_states(
        self, backbone: Backbone, token_ids: Any, positions: Any, mask: Any, caches: Sequence[Any], index: Any
    ) -> tuple[Any, list[Any]]:
        """Returns what the backbone makes of Q new tokens, for generation, with dropout off, and the filled caches.

        Args:
            backbone: the model.
            token_ids: int32 [B, Q].
            positions: int32 [B, Q].
            mask: bool [B, Q, L], all that each new token may see of the L cached ones, causality included.
            caches: as :meth:`empty_caches` gives them.
            index: int32 [], where in the caches the new tokens go.

        Returns:
            float [B, Q, D], and the caches with the new tokens in them.
        """

    @abc.abstractmethod
    def graph_tokenizer(self, tokenizer: Tokenizer) -> Any:
        """Returns the tokenizer as TensorFlow operations: a ``tf.Module`` with ``tokenize`` and ``detokenize``."""

    # Writers of its exported forms.

    @abc.abstractmethod
    def save_preset(self, backbone: Backbone, tokenizer: Tokenizer, folder: Path) -> None:
        """Writes a KerasHub preset."""

    @abc.abstractmethod
    def save_transformers(self, backbone: Backbone, tokenizer: Tokenizer, folder: Path) -> None:
        """Writes a Transformers checkpoint with its tokenizer, without ``generation_config.json``."""

    @abc.abstractmethod
    def ctranslate2_spec(self, backbone: Backbone, tokenizer: Tokenizer) -> Any:
        """Returns a validated ``ctranslate2.specs.ModelSpec`` with float32 weights and the vocabulary."""

    @abc.abstractmethod
    def save_gguf(
        self, backbone: Backbone, tokenizer: Tokenizer, file: Path, *, weights: str, chat_template: str
    ) -> None:
        """Writes a GGUF file.

        Args:
            backbone: the model.
            tokenizer: its tokenizer.
            file: where to; its folder is there.
            weights: how matrices are stored, a name of ``gguf.GGMLQuantizationType``.
            chat_template: Jinja, of a conversation, with nothing left to be given but messages.
        """

    @abc.abstractmethod
    def save_onnx(self, backbone: Backbone, file: Path) -> None:
        """Writes an ONNX file: ``token_ids`` and ``padding_mask`` int32 [B, T] → ``logits`` float32 [B, T, V]."""

    @abc.abstractmethod
    def save_adapter(self, backbone: Backbone, folder: Path, *, base: str) -> None:
        """Writes the adapters alone, as PEFT reads them.

        Args:
            backbone: with adapters.
            folder: where to write; made.
            base: repository or folder of the model that they belong to.
        """

    # Independent readers, for proving the exports.

    @abc.abstractmethod
    def reference_logits(
        self, folder: Path, *, matrix: Callable[[np.ndarray], Any] | None = None
    ) -> Callable[..., np.ndarray]:
        """Returns a Transformers checkpoint as a function, computed without any framework.

        It takes token ids [T], ``last`` and ``cache`` as :class:`modules.proving.answers.Logits` says.

        Args:
            folder: of the checkpoint.
            matrix: how a weight matrix, float32 [N, K], is stored and multiplied; None for plain float32.
        """

    @abc.abstractmethod
    def generator_logits(
        self, weights: Mapping[str, np.ndarray], *, matrix: Callable[[str], Any]
    ) -> Callable[..., np.ndarray]:
        """Returns a CTranslate2 generator as a function, computed without CTranslate2.

        Args:
            weights: its variables by name.
            matrix: gives the weight matrix of a name, with ``rows`` and ``product``.
        """

    @abc.abstractmethod
    def gguf_logits(self, file: Path) -> Callable[..., np.ndarray]:
        """Returns a GGUF file's model as a function, computed in float32 without llama.cpp.

        Args:
            file: the GGUF file.
        """

    @abc.abstractmethod
    def preset_logits(self, folder: Path) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """Returns a KerasHub preset as a function, computed by KerasHub alone.

        It takes int32 [B, T] token ids and int [B] lengths, and gives float32 [B, V]: logits after the last token.
        """
