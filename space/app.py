"""Chat page of $MODEL_REPO_ID, revision $MODEL_VERSION: one instruction, and optionally an input, to one
answer.

The model is pinned to one commit. Every turn stands alone: the model saw no conversations.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import gradio as gr
from about import FILES, About
from answering.prompt import PromptFormat
from assistant import ANSWERS_AT_ONCE, Assistant, UnanswerableError, decoding_of, seed_of
from plain_chat import PlainChatbot
from rate_limit import RateLimit

MODEL_REPO_ID = "$MODEL_REPO_ID"
MODEL_REPO_URL = "$MODEL_REPO_URL"
MODEL_VERSION = "$MODEL_VERSION"
SHA = "$SHA"

MODEL_FILES = ("ctranslate2/*", "tokenizer.json", *FILES)
STYLE = Path(__file__).with_name("style.css")
MAX_CHARACTERS = 8000
QUEUE_SIZE = 128  # questions that wait
QUESTIONS_PER_MINUTE = 12  # of one visitor
logger = logging.getLogger(__name__)


def answer(
    assistant: Assistant,
    instruction: str | None,
    input_text: str | None = None,
    max_new_tokens: float | None = None,
    temperature: float | None = None,
    top_k: float | None = None,
    top_p: float | None = None,
    seed: str | int | None = None,
    *,
    visitor: str = "",
) -> Iterator[str]:
    """The answer so far, again and again; options left out have the model's defaults.

    Raises:
      UnanswerableError: with a sentence for the visitor.
    """
    instruction, input_text = instruction or "", input_text or ""  # the page sends None for a field never touched
    if not instruction.strip():
        raise UnanswerableError("Please write an instruction first.")
    if len(instruction) + len(input_text) > MAX_CHARACTERS:
        raise UnanswerableError(f"Please keep instruction and input below {MAX_CHARACTERS} characters.")
    given = {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    decoding = decoding_of(assistant.format, given, seed=seed_of(seed))
    prompt = assistant.format.prompt(instruction, input_text)
    tokens, cut = assistant.encode(prompt, max_new_tokens=decoding.max_new_tokens)
    if cut:
        gr.Warning(f"The text is longer than the model can read: its first {cut} tokens were left out.")
    try:
        yield from assistant.stream(tokens, decoding, visitor=visitor)
    except RuntimeError as error:
        logger.exception("The model failed")
        raise UnanswerableError("Sorry, the model could not answer. Please try again.") from error


def build_page(assistant: Assistant, limit: RateLimit | None = None) -> gr.Blocks:
    """The page: the chat at the left, input and decoding options beside it (below it on a phone)."""
    limit = limit or RateLimit(QUESTIONS_PER_MINUTE)
    with gr.Blocks(title="GPT-2 Alpaca", analytics_enabled=False) as page:
        gr.Markdown(heading(assistant.about), elem_id="heading")
        with gr.Row(equal_height=False):
            left = gr.Column(scale=3, min_width=320)
            with gr.Column(scale=1, min_width=280):
                fields = input_and_options(assistant.format)
        with left:
            chat = gr.ChatInterface(
                respond_with(assistant, limit),
                chatbot=chat_window(),
                textbox=instruction_box(assistant.about.kind),
                additional_inputs=fields,
                concurrency_limit=ANSWERS_AT_ONCE,
                api_visibility="private",  # programs call `answer`, whose parameters have names
            )
        if assistant.about.examples:
            examples(assistant.about, [chat.textbox, fields[0]])
        gr.Markdown(assistant.arithmetic.sentence(), elem_id="foot")
        gr.api(answer_with(assistant, limit), api_name="answer", concurrency_limit=ANSWERS_AT_ONCE)
    return page


def respond_with(assistant: Assistant, limit: RateLimit) -> Callable[..., Iterator[str]]:
    """What the chat calls: an error would leave its instruction box locked, so the visitor is told in the chat."""

    def respond(message: str, _history: list[dict[str, Any]], request: gr.Request, *fields: Any) -> Iterator[str]:
        text = ""
        try:
            limit.ask(visitor := visitor_of(request))
            for text in answer(assistant, message, *fields, visitor=visitor):
                yield text
        except UnanswerableError as error:
            yield f"⚠️ {error}"
            return
        if not text:
            yield "(The model gave an empty answer.)"

    return respond


def answer_with(assistant: Assistant, limit: RateLimit) -> Callable[..., Iterator[str]]:
    """What programs call."""

    def call(
        request: gr.Request,
        instruction: str,
        input: str = "",
        max_new_tokens: int | None = None,
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        seed: int | None = None,
    ) -> Iterator[str]:
        """The answer so far, again and again, until it is whole; what is left out has the model's default."""
        options = (max_new_tokens, temperature, top_k, top_p, seed)
        try:
            limit.ask(visitor := visitor_of(request))
            yield from answer(assistant, instruction, input, *options, visitor=visitor)
        except UnanswerableError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return call


def examples(about: About, fields: list[gr.components.Component]) -> None:
    """Rows like those that the model was trained on; one that is picked fills instruction and input."""
    gr.Examples(
        [list(example) for example in about.examples],
        fields,
        label="From the evaluation data: the model saw rows like these, not these themselves",
        cache_examples=False,
        elem_id="examples",
    )


def visitor_of(request: gr.Request) -> str:
    """The visitor's address; behind a proxy, as the proxy tells it."""
    return request.client.host if request.client else ""


def chat_window() -> PlainChatbot:
    return PlainChatbot(
        render_markdown=False,
        latex_delimiters=[],
        buttons=[],  # Gradio's would copy the escaped text
        height="55vh",
        show_label=False,
        placeholder="<center>Write an instruction, or pick an example below.</center>",
        elem_id="chat",
    )


def instruction_box(kind: str) -> gr.Textbox:
    return gr.Textbox(
        label="Instruction",
        show_label=False,
        placeholder="Write an instruction…" if kind == "instructions" else "Write the beginning of a text…",
        max_length=MAX_CHARACTERS,
        submit_btn="Send",
        stop_btn="Stop",
        autofocus=True,
        elem_id="instruction",
    )


def heading(about: About) -> str:
    licence = f" · licence `{about.license}`" if about.license else ""
    return (
        "# GPT-2 Alpaca\n"
        f"Model [{MODEL_REPO_ID}]({MODEL_REPO_URL}) · revision "
        f"[`{MODEL_VERSION}`]({MODEL_REPO_URL}/tree/{MODEL_VERSION}) · commit `{SHA[:12]}`{licence}\n\n"
        f"{about.sentence()} Each message is answered on its own: the model does not see earlier ones. "
        "It is small and can be wrong; check what it says."
    )


def input_and_options(prompt_format: PromptFormat) -> list[gr.components.Component]:
    """The fields beside the chat, in the order in which `answer` takes them."""
    defaults = decoding_of(prompt_format, dict.fromkeys(("max_new_tokens", "temperature", "top_k", "top_p")), seed=None)
    input_box = gr.Textbox(
        label="Input (optional)",
        info="Text that the instruction is about.",
        lines=4,
        max_lines=12,
        max_length=MAX_CHARACTERS,
        elem_id="input",
    )
    with gr.Accordion("Decoding options", open=False):
        return [
            input_box,
            gr.Slider(
                1,
                prompt_format.longest_answer(),
                defaults.max_new_tokens,
                step=1,
                label="Longest answer",
                info="In tokens",
            ),
            gr.Slider(
                0,
                2,
                defaults.temperature,
                step=0.05,
                label="Temperature",
                info="0: always the likeliest word",
            ),
            gr.Slider(0, 200, defaults.top_k, step=1, label="Top-k", info="0: off"),
            gr.Slider(0.01, 1, defaults.top_p, step=0.01, label="Top-p", info="1: off"),
            gr.Textbox(label="Seed", info="A whole number; blank: another answer every time", max_length=10),
        ]


def download() -> Path:
    """The model's files at the pinned commit, from the Hub that HF_ENDPOINT names."""
    from huggingface_hub import snapshot_download

    return Path(snapshot_download(MODEL_REPO_ID, revision=SHA, allow_patterns=list(MODEL_FILES)))


def theme() -> gr.themes.Default:
    """Fonts of the visitor's machine, for the page loads nothing from elsewhere; edges that can be seen in light and
    in dark."""
    return gr.themes.Default(
        primary_hue="indigo",
        secondary_hue="indigo",
        neutral_hue="slate",
        font=["system-ui", "sans-serif"],
        font_mono=["ui-monospace", "monospace"],
    ).set(
        input_border_color="#7d8da4",
        link_text_color_dark="*primary_300",
        link_text_color_hover_dark="*primary_200",
        link_text_color_active_dark="*primary_300",
        link_text_color_visited_dark="*primary_300",
        input_border_color_dark="#7d8da4",
        input_border_color_focus="*primary_600",
        input_border_color_focus_dark="*primary_300",
        block_border_color="*neutral_300",
        block_border_color_dark="*neutral_700",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color_dark="*neutral_900",
        button_cancel_background_fill="*neutral_700",
        button_cancel_background_fill_dark="*neutral_200",
        button_cancel_text_color="white",
        button_cancel_text_color_dark="*neutral_900",
    )


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    assistant = Assistant(download())
    logger.info(assistant.arithmetic.sentence())
    page = build_page(assistant)
    page.queue(max_size=QUEUE_SIZE).launch(theme=theme(), css=STYLE.read_text(encoding="utf-8"), footer_links=["api"])


if __name__ == "__main__":
    main()
