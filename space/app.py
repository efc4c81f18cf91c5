"""Chat page of $MODEL_REPO_ID, revision $MODEL_VERSION: one instruction, and optionally an input, to one
answer.

The model is pinned to one commit. The prompt comes from the model's own `prompt.json`, so that it has the
very bytes the model was trained on. Every turn stands alone: the model saw no conversations.
"""

from __future__ import annotations

import json
import logging
import math
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

import ctranslate2
import gradio as gr
from about import FILES, About, Arithmetic
from plain_chat import PlainChatbot
from tokenizers import Tokenizer

MODEL_REPO_ID = "$MODEL_REPO_ID"
MODEL_REPO_URL = "$MODEL_REPO_URL"
MODEL_VERSION = "$MODEL_VERSION"
SHA = "$SHA"

MODEL_FILES = ("ctranslate2/*", "tokenizer.json", *FILES)
STYLE = Path(__file__).with_name("style.css")
MAX_CHARACTERS = 8000
ANSWERS_AT_ONCE = 8
UNSEEDED = 2**32 - 1  # CTranslate2's word for: every thread by chance
QUEUE_SIZE = 32  # questions that wait
QUESTIONS_PER_MINUTE = 12  # of one visitor
logger = logging.getLogger(__name__)


class UnanswerableError(ValueError):
    """Nothing can be answered; the message is a sentence for the visitor."""


@dataclass(frozen=True)
class PromptFormat:
    """What `prompt.json` says: how an instruction becomes text, and how much of it fits."""

    with_input: str
    without_input: str
    end_token: str
    neutral_end_token: str  # replaces the end token in a visitor's text
    blank_characters: str
    context_length: int  # tokens of prompt and response together
    generation: dict[str, Any]  # default decoding

    @classmethod
    def read(cls, file: Path) -> PromptFormat:
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            with_input=content["with_input"],
            without_input=content["without_input"],
            end_token=content["end_token"],
            neutral_end_token=content.get("neutral_end_token", ""),
            blank_characters=content.get("blank_characters", " \t\n\r\f\v"),
            context_length=content["context_length"],
            generation=content.get("generation", {}),
        )

    def prompt(self, instruction: str, input_text: str = "") -> str:
        """The prompt, byte for byte as in training."""
        instruction, input_text = self._neutral(instruction), self._neutral(input_text)
        if not input_text.strip(self.blank_characters):
            return self.without_input.format(instruction=instruction)
        return self.with_input.format(instruction=instruction, input=input_text)

    def _neutral(self, text: str) -> str:
        return text.replace(self.end_token, self.neutral_end_token)


@dataclass(frozen=True)
class Decoding:
    """How the next token is chosen; temperature 0 takes the likeliest, top_k 0 and top_p 1 switch those
    limits off."""

    max_new_tokens: int = 128
    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int | None = None  # None: another answer every time

    def options(self) -> dict[str, Any]:
        """As CTranslate2 names them; there, sampling from the one best token is greedy decoding."""
        if self.temperature <= 0:
            return {"sampling_topk": 1}
        return {
            "sampling_topk": self.top_k,
            "sampling_topp": self.top_p,
            "sampling_temperature": self.temperature,
        }


class RateLimit:
    """How many questions a visitor may ask within a minute; who asked none lately is forgotten."""

    def __init__(self, questions: int, *, seconds: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._questions = questions
        self._seconds = seconds
        self._clock = clock
        self._asked: dict[str, deque[float]] = {}  # visitor -> when, oldest first
        self._lock = threading.Lock()

    def ask(self, visitor: str) -> None:
        """Counts a question.

        Raises:
          UnanswerableError: it is one too many; it does not count then.
        """
        now = self._clock()
        with self._lock:
            self._forget(now - self._seconds)
            asked = self._asked.setdefault(visitor, deque())
            if len(asked) < self._questions:
                asked.append(now)
                return
        wait_seconds = math.ceil(asked[0] + self._seconds - now)
        raise UnanswerableError(
            f"You have asked {self._questions} questions within a minute; this small machine serves everybody. "
            f"Please wait {wait_seconds} seconds, then ask again."
        )

    def _forget(self, before: float) -> None:
        for visitor, asked in list(self._asked.items()):
            while asked and asked[0] <= before:
                asked.popleft()
            if not asked:
                del self._asked[visitor]


class Assistant:
    """A model that answers prompts, token by token; loaded once."""

    def __init__(self, folder: Path) -> None:
        self.format = PromptFormat.read(folder / "prompt.json")
        self.about = About.read(folder)
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._model_folder = str(folder / "ctranslate2")
        self._generator = self._load(ANSWERS_AT_ONCE)
        self.arithmetic = Arithmetic.of(self._generator, folder / "ctranslate2")
        self._seeding = threading.Lock()

    def encode(self, prompt: str, *, max_new_tokens: int) -> tuple[list[str], int]:
        """The prompt's tokens, and how many were cut from its left to leave room for the response."""
        tokens = self._tokenizer.encode(prompt).tokens
        cut = max(0, len(tokens) - max(1, self.format.context_length - max_new_tokens))
        return tokens[cut:], cut

    def stream(self, tokens: list[str], decoding: Decoding) -> Iterator[str]:
        """The response so far, after each token; ends at the end token."""
        ids: list[int] = []
        for step in self._steps(tokens, decoding):
            if step.token == self.format.end_token:
                break
            ids.append(step.token_id)
            # A character may be spread over several tokens; its first part decodes to a replacement character.
            yield self._tokenizer.decode(ids, skip_special_tokens=True).rstrip("\ufffd")

    def _steps(self, tokens: list[str], decoding: Decoding) -> Iterator[Any]:
        """CTranslate2's results, a token at a time; of a seeded answer, always the same ones."""

        def begin(generator: ctranslate2.Generator) -> Iterator[Any]:
            end, longest = self.format.end_token, decoding.max_new_tokens
            steps: Iterator[Any] = generator.generate_tokens(
                tokens, max_length=longest, end_token=end, **decoding.options()
            )
            return steps

        if decoding.seed is None or decoding.temperature <= 0:
            yield from begin(self._generator)
            return
        # The seed belongs to the whole process; a fresh generator takes it with its first token.
        with self._seeding:
            ctranslate2.set_random_seed(decoding.seed)
            steps = begin(self._load(1))
            first = next(steps, None)
            ctranslate2.set_random_seed(UNSEEDED)
        if first is not None:
            yield first
            yield from steps

    def _load(self, answers_at_once: int) -> ctranslate2.Generator:
        """The model, its weights once whatever the number; each answer has one thread, so that all of them grow."""
        return ctranslate2.Generator(self._model_folder, device="cpu", inter_threads=answers_at_once, intra_threads=1)


def answer(
    assistant: Assistant,
    instruction: str | None,
    input_text: str | None = None,
    max_new_tokens: float | None = None,
    temperature: float | None = None,
    top_k: float | None = None,
    top_p: float | None = None,
    seed: str | int | None = None,
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
        yield from assistant.stream(tokens, decoding)
    except (RuntimeError, ValueError) as error:
        logger.exception("The model failed")
        raise UnanswerableError("Sorry, the model could not answer. Please try again.") from error


def decoding_of(prompt_format: PromptFormat, given: dict[str, float | None], *, seed: int | None = None) -> Decoding:
    """Decoding from the page's fields; a blank field takes the model's default, a wrong value the nearest
    right one."""
    values = {name: prompt_format.generation.get(name, getattr(Decoding(), name)) for name in given}
    values |= {name: value for name, value in given.items() if value is not None}
    return Decoding(
        max_new_tokens=min(max(1, int(values["max_new_tokens"])), longest_answer(prompt_format)),
        temperature=max(0.0, float(values["temperature"])),
        top_k=max(0, int(values["top_k"])),
        top_p=min(max(0.01, float(values["top_p"])), 1.0),
        seed=seed,
    )


def seed_of(given: str | int | None) -> int | None:
    """The seed in the page's field, or a caller's; None when there is none."""
    text = "" if given is None else str(given).strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) >= UNSEEDED:
        raise UnanswerableError(f"Please give a seed from 0 to {UNSEEDED - 1}, or none.")
    return int(text)


def longest_answer(prompt_format: PromptFormat) -> int:
    """Tokens that an answer may have: half of the context, or the model's default where that is more."""
    default = int(prompt_format.generation.get("max_new_tokens", 0))
    return min(max(prompt_format.context_length // 2, default, 1), max(1, prompt_format.context_length - 1))


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
            limit.ask(visitor_of(request))
            for text in answer(assistant, message, *fields):
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
            limit.ask(visitor_of(request))
            yield from answer(assistant, instruction, input, *options)
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
                longest_answer(prompt_format),
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
