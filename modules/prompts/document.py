"""Raw text: a document has neither instruction nor input, so its prompt is empty and all of it is learnt.

Whoever asks a model of raw text gives the beginning of a text, which is taken as it is.
"""

from __future__ import annotations

from modules.prompts.format import PromptFormat

DOCUMENT = PromptFormat(
    name="document",
    with_input="{instruction}\n\n{input}",
    without_input="{instruction}",
    response_marker="",
    chat_template=(
        "{%- for message in messages -%}{{ message['content'] | replace(end_token, neutral_end_token) }}{%- endfor -%}"
    ),
)
