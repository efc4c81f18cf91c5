"""A prompt format: a question and its answer, as `Q:` and `A:`."""

from modules.prompts import PromptFormat

FORMAT = PromptFormat(
    name="question",
    with_input="Q: {instruction} ({input})\nA: ",
    without_input="Q: {instruction}\nA: ",
    response_marker="A: ",
    chat_template=(
        "{%- for message in messages -%}"
        "{%- set content = message['content'] | replace(end_token, neutral_end_token) -%}"
        "{%- if message['role'] == 'assistant' -%}"
        "{{ 'A: ' + content + end_token }}"
        "{%- else -%}"
        "{{ 'Q: ' + content + '\n' }}"
        "{%- endif -%}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ 'A: ' }}{%- endif -%}"
    ),
)
