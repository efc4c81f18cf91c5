"""Ollama's Modelfile of a model: the prompt as a Go template, and the decoding.

Source: Ollama's ``docs/modelfile.mdx`` and ``template/template.go``. A template without a list of messages is filled in
once per question and answer, and of the last, what follows ``.Response`` is left out: the chat template's bytes. Go's
templates replace no text, so an end token in a question is not made harmless.
"""

from __future__ import annotations

from modules.exports.form import TrainedModel
from modules.prompts.format import END_TOKEN, PromptFormat

QUOTES = '"""'


def modelfile(model: TrainedModel, file_name: str) -> str:
    """Returns the content of a Modelfile.

    Args:
        model: with its prompt format and decoding defaults.
        file_name: of the GGUF file that lies beside the Modelfile.

    Raises:
        ValueError: If the prompt holds what no Modelfile can quote.
    """
    generation = model.generation
    parameters = {
        "num_ctx": model.backbone.max_sequence_length,
        "num_predict": generation.max_new_tokens,
        "temperature": generation.temperature,
        "top_k": generation.top_k,
        "top_p": generation.top_p,
        "repeat_penalty": 1,  # Ollama's default would change the answers
        "stop": f'"{END_TOKEN}"',
    }
    lines = [
        f"FROM ./{file_name}",
        f"TEMPLATE {QUOTES}{go_template(model.prompt_format)}{QUOTES}",
        *(f"PARAMETER {name} {value}" for name, value in parameters.items()),
    ]
    return "\n".join(lines) + "\n"


def go_template(prompt_format: PromptFormat) -> str:
    """Returns the format of a question and its answer in Go's template language.

    Raises:
        ValueError: If it holds what no Modelfile can quote.
    """
    template = prompt_format.without_input
    if QUOTES in template:
        raise ValueError(f"A prompt in a Modelfile cannot hold {QUOTES}. Received: {template!r}. Export no GGUF of it.")
    marker = prompt_format.response_marker
    before, _, after = template.removesuffix(marker).partition("{instruction}")

    def turn(field: str) -> str:
        return f"{_literal(before)}{{{{ .{field} }}}}{_literal(after)}"

    end = END_TOKEN if marker else ""
    return (
        f"{{{{ if .System }}}}{turn('System')}{{{{ end }}}}{turn('Prompt')}{_literal(marker)}{{{{ .Response }}}}{end}"
    )


def _literal(text: str) -> str:
    """Returns a part of a `str.format` template as Go's templates give it back."""
    return text.format().replace("{{", '{{ "{{" }}')
