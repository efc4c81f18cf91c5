"""Requests and answers of OpenAI's API, as much of it as a model that only completes text can honour.

What it cannot honour is refused instead of passed over, so that nobody takes an answer for what it is not.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

MOST_CHOICES = 16
MOST_PROMPTS = 32


def _whole(value: object) -> object:
    """Returns 2 for 2.0, which JSON Schema takes for the same whole number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _true_or_false(value: object) -> object:
    """Refuses 0.0, which Python takes for False."""
    if value is not None and not isinstance(value, bool):
        raise ValueError("Input should be false")
    return value


NotOffered = Annotated[Literal[False], BeforeValidator(_true_or_false)] | None
_WHOLE = BeforeValidator(_whole)
# The limits stand before the validator, so that the schema tells them.
Tokens = Annotated[int, Field(ge=1), _WHOLE]
Seed = Annotated[int, _WHOLE]
TopK = Annotated[int, Field(ge=0, le=1_000_000), _WHOLE]
Choices = Annotated[int, Field(ge=1, le=MOST_CHOICES), _WHOLE]
One = Annotated[int, Field(ge=1, le=1), _WHOLE]
Finish = Literal["stop", "length"]
Stop = str | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=4)] | None
Zero = Annotated[float | None, Field(ge=0, le=0)]


class Strict(BaseModel):
    """A request: unknown fields and wrong types are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class StreamOptions(Strict):
    """Options of a stream."""

    include_usage: bool | None = None
    """Whether the last event tells the numbers of tokens."""
    include_obfuscation: NotOffered = None
    """Not offered: False or nothing."""


class DecodingFields(Strict):
    """Fields that completions and chat have in common."""

    model: str | None = None
    """The served model's name; nothing for the one there is."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """0 takes the likeliest token; nothing for the model's default."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Sample from the likeliest tokens with this share of the probability."""
    top_k: TopK | None = None
    """Sample from so many likeliest tokens, 0 for all; not OpenAI's."""
    max_tokens: Tokens | None = None
    """Longest answer in tokens; the model's context sets a limit."""
    n: Choices | None = None
    """Answers to each prompt."""
    stop: Stop = None
    """Texts before which the answer ends, four at most."""
    seed: Seed | None = None
    """The same seed gives the same answer, whoever else is asking."""
    stream: bool | None = None
    """Whether the answer comes as server-sent events."""
    stream_options: StreamOptions | None = None
    """Options of the stream."""
    user: str | None = None
    """Taken and not used."""
    frequency_penalty: Zero = None
    """Not offered: 0 or nothing."""
    presence_penalty: Zero = None
    """Not offered: 0 or nothing."""

    def stops(self) -> tuple[str, ...]:
        """Returns the stop texts."""
        given = [self.stop] if isinstance(self.stop, str) else self.stop or []
        return tuple(text for text in given if text)


class CompletionRequest(DecodingFields):
    """A text, or several, to be continued as they are."""

    prompt: str | Annotated[list[str], Field(min_length=1, max_length=MOST_PROMPTS)]
    """The beginning of a text; an end token in it has no effect."""
    logprobs: Annotated[int, Field(ge=0, le=5), _WHOLE] | None = None
    """Whether log-probabilities are told, and of how many likeliest tokens besides."""
    echo: NotOffered = None
    """Not offered: False or nothing."""
    best_of: One | None = None
    """Not offered: 1 or nothing."""

    def prompts(self) -> list[str]:
        """Returns the prompts."""
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


class TextPart(Strict):
    """A part of a message."""

    type: Literal["text"]
    text: str


class ChatMessage(Strict):
    """A message. Every role but the assistant's gives an instruction."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[TextPart]
    name: str | None = None
    """Taken and not used."""

    def text(self) -> str:
        """Returns the message's text."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class ChatRequest(DecodingFields):
    """A conversation to be answered, in the model's own prompt format."""

    messages: list[ChatMessage] = Field(min_length=1, max_length=256)
    """What was said so far."""
    max_completion_tokens: Tokens | None = None
    """The newer name of max_tokens."""
    logprobs: bool | None = None
    """Whether log-probabilities are told."""
    top_logprobs: Annotated[int, Field(ge=0, le=20), _WHOLE] | None = None
    """Of how many likeliest tokens besides; logprobs need not be set then."""


class Usage(BaseModel):
    """Numbers of tokens."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionLogprobs(BaseModel):
    """Log-probabilities of a completion's tokens."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(BaseModel):
    """One answer."""

    index: int
    text: str
    finish_reason: Finish
    logprobs: CompletionLogprobs | None


class Envelope(BaseModel):
    """Fields of every answer."""

    id: str
    created: int
    model: str
    system_fingerprint: str
    usage: Usage
    warnings: list[str]


class Completion(Envelope):
    """Answers to a :class:`CompletionRequest`."""

    object: Literal["text_completion"] = "text_completion"
    choices: list[CompletionChoice]


class TopLogprob(BaseModel):
    """A token with its log-probability."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(TopLogprob):
    """A token of an answer, with the likeliest ones at its place."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Log-probabilities of an answer's tokens."""

    content: list[TokenLogprob]
    refusal: None = None


class AnswerMessage(BaseModel):
    """The assistant's message."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    """One answer."""

    index: int
    message: AnswerMessage
    finish_reason: Finish
    logprobs: ChatLogprobs | None


class ChatCompletion(Envelope):
    """Answers to a :class:`ChatRequest`."""

    object: Literal["chat.completion"] = "chat.completion"
    choices: list[ChatChoice]


class ModelCard(BaseModel):
    """A model that can be asked."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    revision: str


class ModelList(BaseModel):
    """The models that can be asked."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class ErrorDetail(BaseModel):
    """An error in OpenAI's form."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(BaseModel):
    """The body of every answer that is an error."""

    error: ErrorDetail
