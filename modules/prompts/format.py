"""The prompt: the one place where a row becomes text for the model.

Instructions are formatted as Alpaca's; of raw text, which a base model continues, the prompt is the text itself.

Transform, the serving signatures, the front ends and the evaluation all format through this module. The
golden files in ``tests/modules/golden`` pin its bytes. Front ends that cannot import it (the published Space)
receive the same templates through :func:`prompt_spec`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

END_TOKEN = "<|endoftext|>"
WITH_INPUT = "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
WITHOUT_INPUT = "### Instruction:\n{instruction}\n\n### Response:\n"


@dataclass(frozen=True)
class PromptFormat:
    """How a kind of rows becomes a prompt.

    Attributes:
        kind: what the rows are: ``instructions`` or ``text``.
        with_input: template with ``{instruction}`` and ``{input}``.
        without_input: template with ``{instruction}``, for rows whose input is blank.
    """

    kind: str
    with_input: str
    without_input: str


INSTRUCTIONS = PromptFormat("instructions", WITH_INPUT, WITHOUT_INPUT)
# A document has neither instruction nor input: its prompt is empty, and all of it is to be learnt.
TEXT = PromptFormat("text", "{instruction}\n\n{input}", "{instruction}")
FORMATS: Mapping[str, PromptFormat] = {form.kind: form for form in (INSTRUCTIONS, TEXT)}

# ASCII white space only: RE2, which formats inside the TensorFlow graph, knows no other in a byte string.
BLANK_CHARACTERS = " \t\n\r\f\v"

# A user's text must not end the example early. The spaced form can never combine with its surroundings into
# the token.
NEUTRAL_END_TOKEN = "<| endoftext |>"


def is_blank(text: str) -> bool:
    """Whether `text` holds nothing but ASCII white space."""
    return not text.strip(BLANK_CHARACTERS)


def neutralise(text: str) -> str:
    """`text` with every literal end token made harmless."""
    return text.replace(END_TOKEN, NEUTRAL_END_TOKEN)


def format_prompt(instruction: str, input_text: str = "", form: PromptFormat = INSTRUCTIONS) -> str:
    """The prompt for one row; of an instruction, it ends right after ``### Response:\\n``."""
    if is_blank(input_text):
        return form.without_input.format(instruction=neutralise(instruction))
    return form.with_input.format(instruction=neutralise(instruction), input=neutralise(input_text))


def parse_prompt(prompt: str, form: PromptFormat = INSTRUCTIONS) -> tuple[str, str] | None:
    """Instruction and input, of which :func:`format_prompt` makes this prompt; None if there are none such."""
    for template in (form.with_input, form.without_input):
        match = _pattern(template).fullmatch(prompt)
        row = (match["instruction"], match.groupdict().get("input", "")) if match else None
        if row and format_prompt(*row, form) == prompt:
            return row
    return None


def format_prompt_tensors(
    instruction: tf.Tensor, input_text: tf.Tensor, form: PromptFormat = INSTRUCTIONS
) -> tf.Tensor:
    """:func:`format_prompt` inside a TensorFlow graph.

    Args:
        instruction: string, any shape.
        input_text: string, same shape; blank for rows without an input.
        form: what the rows are.

    Returns:
        string, same shape.
    """
    import tensorflow as tf

    fields = {"instruction": neutralise_tensor(instruction), "input": neutralise_tensor(input_text)}
    blank = tf.strings.regex_full_match(input_text, r"[ \t\n\r\f\x0b]*")
    return tf.where(blank, _join(form.without_input, fields), _join(form.with_input, fields))


def neutralise_tensor(text: tf.Tensor) -> tf.Tensor:
    """:func:`neutralise` inside a TensorFlow graph; string of any shape, same shape out."""
    import tensorflow as tf

    return tf.strings.regex_replace(text, r"<\|endoftext\|>", NEUTRAL_END_TOKEN)


def prompt_spec(form: PromptFormat = INSTRUCTIONS) -> dict[str, Any]:
    """The templates as data, published beside every model as part of ``prompt.json``."""
    return {
        "kind": form.kind,
        "with_input": form.with_input,
        "without_input": form.without_input,
        "end_token": END_TOKEN,
        "neutral_end_token": NEUTRAL_END_TOKEN,
        "blank_characters": BLANK_CHARACTERS,
    }


def _pattern(template: str) -> re.Pattern[str]:
    """What `template` makes, with a group for each field."""
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
