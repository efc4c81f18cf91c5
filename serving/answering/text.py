"""Tokens into text as they come: whole characters only, up to a stop text."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Tokenizer

REPLACEMENT = "\ufffd"
TOKENS_OF_A_CHARACTER = 4  # at most: UTF-8 has four bytes for one


class AnswerText:
    """The text of one answer. Feed it each token; what it returns may be shown at once."""

    def __init__(self, tokenizer: Tokenizer, stop: Sequence[str] = ()) -> None:
        self._tokenizer = tokenizer
        self._stop = [text for text in stop if text]
        self._ids: list[int] = []  # from the last shown token on, so that what depends on the one before is right
        self._shown = 0  # of those
        self._pending = ""  # may be the beginning of a stop text
        self.is_stopped = False

    def push(self, token_id: int) -> str:
        """Returns the text that is certain now; empty while a character or a stop text may be incomplete."""
        self._ids.append(token_id)
        before, now = self._decode(self._ids[: self._shown]), self._decode(self._ids)
        is_incomplete = now.endswith(REPLACEMENT) and len(self._ids) - self._shown < TOKENS_OF_A_CHARACTER
        if is_incomplete:
            return ""
        self._ids = self._ids[self._shown :]
        self._shown = len(self._ids)
        return self._up_to_stop(self._pending + now[len(before) :])

    def flush(self) -> str:
        """Returns the rest of an answer that has ended without a stop text; half a character is left out."""
        rest, self._pending = self._pending, ""
        return rest

    def _up_to_stop(self, text: str) -> str:
        starts = [text.find(stop) for stop in self._stop]
        found = [start for start in starts if start >= 0]
        if found:
            self.is_stopped, self._pending = True, ""
            return text[: min(found)]
        kept = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._pending = text[len(text) - kept :]
        return text[: len(text) - kept]

    def _decode(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True)
        return text


def _overlap(text: str, stop: str) -> int:
    """Returns how many characters at the end of `text` are the beginning of `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
