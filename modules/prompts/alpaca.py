"""Stanford Alpaca's prompt, without its opening sentence.

Source: Taori et al. 2023, https://github.com/tatsu-lab/stanford_alpaca, "Data Release". The golden files in
``tests/modules/golden`` pin its bytes.
"""

from __future__ import annotations

from modules.prompts.format import PromptFormat

ALPACA = PromptFormat(
    name="alpaca",
    with_input="### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n",
    without_input="### Instruction:\n{instruction}\n\n### Response:\n",
    response_marker="### Response:\n",
    chat_template=(
        "{%- for message in messages -%}"
        "{%- set content = message['content'] | replace(end_token, neutral_end_token) -%}"
        "{%- if message['role'] == 'assistant' -%}"
        "{{ '### Response:\n' + content + end_token }}"
        "{%- else -%}"
        "{{ '### Instruction:\n' + content + '\n\n' }}"
        "{%- endif -%}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{ '### Response:\n' }}{%- endif -%}"
    ),
)
