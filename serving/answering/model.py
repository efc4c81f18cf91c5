"""A revision's model in memory: its tokenizer, its CTranslate2 generator, and the scores of its tokens."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
from tokenizers import Tokenizer

from .arithmetic import Arithmetic
from .errors import ModelFolderError
from .prompt import SEEDS, Decoding, PromptFormat

OnToken = Callable[[int, int, str], bool]  # row, token's id, token → whether the row ends here


@dataclass(frozen=True)
class ModelFiles:
    """Paths of what answering needs, in a model's folder."""

    prompt: Path
    tokenizer: Path
    generator: Path

    @classmethod
    def find(cls, folder: Path, *, form: str = "ctranslate2") -> ModelFiles:
        """Looks into a revision's folder, or into a Trainer's model artifact.

        Args:
          folder: of the model.
          form: `ctranslate2` (8 bits) or `ctranslate2_float32`.

        Raises:
          ModelFolderError: a file is missing.
        """
        exports = folder / "exports"
        found = (
            cls(exports / "prompt.json", exports / "transformers" / "tokenizer.json", exports / form)
            if exports.is_dir()
            else cls(folder / "prompt.json", folder / "tokenizer.json", folder / form)
        )
        missing = [
            path for path in (found.prompt, found.tokenizer, found.generator / "model.bin") if not path.is_file()
        ]
        if missing:
            names = ", ".join(str(path.relative_to(folder)) for path in missing)
            raise ModelFolderError(
                f"A model that is asked needs prompt.json, tokenizer.json and {form}/model.bin. "
                f"Received: {folder} without {names}. Name a revision that was published with {form}."
            )
        return found


@dataclass(frozen=True)
class Encoded:
    """A prompt in tokens."""

    tokens: tuple[str, ...]
    cut: int  # tokens that were left out at its start, for want of room


@dataclass(frozen=True)
class TokenScore:
    """Log-probability of a token, in nats, and the likeliest tokens at its place."""

    token_id: int
    log_prob: float
    likeliest: tuple[tuple[int, float], ...]  # token ids with their log-probabilities, the likeliest first


class Model:
    """A model that can be asked, loaded once.

    Args:
      files: what to load.
      lanes: batches of answers that are computed at the same time.
      threads: of each.
    """

    def __init__(self, files: ModelFiles, *, lanes: int, threads: int = 1) -> None:
        self.files = files
        self.format = PromptFormat.read(files.prompt)
        self.tokenizer = Tokenizer.from_file(str(files.tokenizer))
        self.threads = threads
        # One worker more than there are lanes, so that scores need not wait for answers.
        self._generator = self._load(workers=lanes + 1)
        self.arithmetic = Arithmetic.of(self._generator, files.generator)
        self._seeding = threading.Lock()
        self._spare: ctranslate2.Generator | None = None

    def close(self) -> None:
        """Ends the generators' threads: one that lets go of a callback while Python ends would abort the process."""
        self._spare = None
        del self._generator

    def encode(self, prompt: str, *, max_new_tokens: int) -> Encoded:
        """Returns the prompt's tokens, cut at their start so that the response has room."""
        tokens = tuple(self.tokenizer.encode(prompt).tokens)
        cut = max(0, len(tokens) - max(1, self.format.context_length - max_new_tokens))
        return Encoded(tokens[cut:] or (self.format.end_token,), cut)

    def token(self, token_id: int) -> str:
        """Returns a token as the generator names it."""
        return str(self.tokenizer.id_to_token(token_id))

    def decode(self, token_ids: Sequence[int]) -> str:
        """Returns the text of some tokens."""
        text: str = self.tokenizer.decode(list(token_ids), skip_special_tokens=False)
        return text

    def generate(
        self, contexts: Sequence[Sequence[str]], *, max_new_tokens: int, decoding: Decoding, on_token: OnToken
    ) -> None:
        """Continues every context, all in one batch, until `on_token` has ended each.

        Args:
          contexts: the tokens so far, of each row.
          max_new_tokens: of the row that gets most.
          decoding: how tokens are chosen; its seed is left out of account.
          on_token: called for each new token, the end token too, in another thread.
        """
        self._generate(self._generator, contexts, max_new_tokens, decoding, on_token)

    def generate_seeded(self, context: Sequence[str], *, decoding: Decoding, on_token: OnToken) -> None:
        """Continues one context by the seed alone: whatever else is being answered, the answer is the same.

        A generator takes the process's seed with its first random number and keeps it, so each such answer has a
        generator of its own.
        """
        with self._seeded(decoding.seed or 0) as (generator, seed_is_taken):

            def take(row: int, token_id: int, token: str) -> bool:
                seed_is_taken()
                return on_token(row, token_id, token)

            self._generate(generator, [context], decoding.max_new_tokens, decoding, take)

    @contextmanager
    def _seeded(self, seed: int) -> Iterator[tuple[ctranslate2.Generator, Callable[[], None]]]:
        self._seeding.acquire()
        is_held = True

        def seed_is_taken() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                ctranslate2.set_random_seed(SEEDS)  # for all others: by chance
                self._seeding.release()

        try:
            generator, self._spare = self._spare or self._load(workers=1), None
            ctranslate2.set_random_seed(seed)
            yield generator, seed_is_taken
        finally:
            seed_is_taken()
        self._spare = self._spare or self._load(workers=1)  # so that the next one need not wait for it

    def scores(self, tokens: Sequence[str], *, first: int, top: int) -> list[TokenScore]:
        """Returns the scores of `tokens[first:]`, each after all that stand before it.

        Args:
          tokens: of prompt and answer.
          first: place of the first token that is scored; 1 at least, for nothing stands before the token 0.
          top: how many of the likeliest tokens are told.
        """
        ids: list[int] = [self.tokenizer.token_to_id(token) or 0 for token in tokens]
        output = self._generator.forward_batch([list(tokens[:-1])], return_log_probs=True)
        rows = np.asarray(output, np.float32)[0, first - 1 :]  # [tokens scored, V]
        return [_score(row, token_id, top) for row, token_id in zip(rows, ids[first:], strict=True)]

    def _generate(
        self,
        generator: ctranslate2.Generator,
        contexts: Sequence[Sequence[str]],
        max_new_tokens: int,
        decoding: Decoding,
        on_token: OnToken,
    ) -> None:
        callback = _Callback(on_token)
        options = decoding.options()
        if options["sampling_topk"] >= self.tokenizer.get_vocab_size():
            options["sampling_topk"] = 0  # all of them, which CTranslate2 wants to be told so
        try:
            generator.generate_batch(
                [list(context) for context in contexts],
                max_length=max_new_tokens,
                end_token=self.format.end_token,
                include_prompt_in_result=False,
                callback=callback,
                **options,
            )
        finally:
            callback.forget()

    def _load(self, *, workers: int) -> ctranslate2.Generator:
        return ctranslate2.Generator(
            str(self.files.generator), device="cpu", inter_threads=workers, intra_threads=self.threads
        )


class _Callback:
    """Hands each new token on, until it is told to forget whom.

    A generator's thread lets go of its callback some time after the answer has returned. What the callback still held
    would go with it: at worst the generator itself, whose thread cannot wait for its own end and aborts the process.
    """

    def __init__(self, on_token: OnToken) -> None:
        self._on_token: OnToken | None = on_token

    def __call__(self, result: Any) -> bool:
        assert self._on_token is not None
        return self._on_token(result.batch_id, result.token_id, result.token)

    def forget(self) -> None:
        self._on_token = None


def _score(row: np.ndarray, token_id: int, top: int) -> TokenScore:
    likeliest = np.argsort(-row, kind="stable")[:top] if top else ()
    return TokenScore(token_id, float(row[token_id]), tuple((int(i), float(row[i])) for i in likeliest))
