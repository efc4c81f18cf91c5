"""The prompt format: the one place where a row becomes text for the model.

Transform, the serving signatures, the front ends and the evaluation all format through :class:`PromptFormat`. Front
ends that cannot import it (the published Space) receive the same templates through :meth:`PromptFormat.spec`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

END_TOKEN = "<|endoftext|>"

# ASCII white space only: RE2, which formats inside the TensorFlow graph, knows no other in a byte string.
BLANK_CHARACTERS = " \t\n\r\f\v"

# A user's text must not end the example early. The spaced form can never combine with its surroundings into
# the token.
NEUTRAL_END_TOKEN = "<| endoftext |>"


@dataclass(frozen=True)
class PromptFormat:
    """A prompt format, which turns a row into a prompt.

    Attributes:
        name: what settings call it.
        with_input: template with ``{instruction}`` and ``{input}``.
        without_input: template with ``{instruction}``, for rows whose input is blank.
        response_marker: what the templates end with, after which the response stands; empty if nothing does.
        chat_template: the same for a conversation, in Jinja, as Transformers' tokenizers take it: of ``messages`` with
            ``role`` and ``content``, ``add_generation_prompt``, and ``end_token`` and ``neutral_end_token`` besides.
    """

    name: str
    with_input: str
    without_input: str
    response_marker: str
    chat_template: str

    def format(self, instruction: str, input_text: str = "") -> str:
        """Returns the prompt for one row; it ends right after the response marker."""
        if is_blank(input_text):
            return self.without_input.format(instruction=escape_end_tokens(instruction))
        return self.with_input.format(instruction=escape_end_tokens(instruction), input=escape_end_tokens(input_text))

    def parse(self, prompt: str) -> tuple[str, str] | None:
        """Returns instruction and input, of which :meth:`format` makes this prompt; None if there are none such."""
        for template in (self.with_input, self.without_input):
            match = _pattern(template).fullmatch(prompt)
            row = (match["instruction"], match.groupdict().get("input", "")) if match else None
            if row and self.format(*row) == prompt:
                return row
        return None

    def format_tensors(self, instruction: tf.Tensor, input_text: tf.Tensor) -> tf.Tensor:
        """Formats inside a TensorFlow graph, as :meth:`format` does.

        Args:
            instruction: string, any shape.
            input_text: string, same shape; blank for rows without an input.

        Returns:
            string, same shape.
        """
        import tensorflow as tf

        fields = {"instruction": escape_end_tokens_tensor(instruction), "input": escape_end_tokens_tensor(input_text)}
        blank = tf.strings.regex_full_match(input_text, r"[ \t\n\r\f\x0b]*")
        return tf.where(blank, _join(self.without_input, fields), _join(self.with_input, fields))

    def published_chat_template(self) -> str:
        """Returns the chat template with its two tokens, as it is published: whoever fills it in has messages only."""
        if not self.chat_template:
            return ""
        return (
            f"{{%- set end_token = '{END_TOKEN}' -%}}{{%- set neutral_end_token = '{NEUTRAL_END_TOKEN}' -%}}"
            f"{self.chat_template}"
        )

    def spec(self, *, kind: str) -> dict[str, Any]:
        """Returns the templates as data, published beside every model as part of ``prompt.json``.

        Args:
            kind: of the rows that the model learnt from, ``instructions`` or ``text``.
        """
        return {
            "kind": kind,
            "with_input": self.with_input,
            "without_input": self.without_input,
            "end_token": END_TOKEN,
            "neutral_end_token": NEUTRAL_END_TOKEN,
            "blank_characters": BLANK_CHARACTERS,
        }


def is_blank(text: str) -> bool:
    """Returns whether `text` holds nothing but ASCII white space."""
    return not text.strip(BLANK_CHARACTERS)


def escape_end_tokens(text: str) -> str:
    """Returns `text` with every literal end token made harmless."""
    return text.replace(END_TOKEN, NEUTRAL_END_TOKEN)


def escape_end_tokens_tensor(text: tf.Tensor) -> tf.Tensor:
    """Escapes end tokens inside a TensorFlow graph, like :func:`escape_end_tokens`; string of any shape → same."""
    import tensorflow as tf

    return tf.strings.regex_replace(text, r"<\|endoftext\|>", NEUTRAL_END_TOKEN)


def _pattern(template: str) -> re.Pattern[str]:
    """Returns what matches all that `template` makes, with a group for each field."""
    parts = (
        re.escape(literal) + (f"(?P<{field}>.*?)" if field else "")
        for literal, field, _, _ in Formatter().parse(template)
    )
    return re.compile("".join(parts), re.DOTALL)


def _join(template: str, fields: dict[str, tf.Tensor]) -> tf.Tensor:
    import tensorflow as tf

    parts: list[Any] = []
    for literal, field, _, _ in Formatter().parse(template):
        parts.append(literal)
        if field is not None:
            parts.append(fields[field])
    return tf.strings.join(parts)
