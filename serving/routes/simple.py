"""The plain routes: an instruction, perhaps an input, and how to answer; one of them, or a batch."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from serving.answering.prompt import PromptFormat, decoding_for
from serving.asking import Asking
from serving.openai_shapes import MOST_PROMPTS, Finish, Seed, Stop, Strict, Tokens, TopK, Usage
from serving.routes.context import ERRORS, client_of, deployment_for, finish_of, service_of
from serving.service import Question

router = APIRouter(responses=ERRORS)


class Instruction(Strict):
    """A question in the model's own terms."""

    instruction: str = Field(min_length=1)
    """What is to be done."""
    input: str = ""
    """The text that it is about."""
    max_new_tokens: Tokens | None = None
    """Longest answer in tokens; nothing for the model's default, as in what follows."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """0 takes the likeliest token."""
    top_k: TopK | None = None
    """Sample from so many likeliest tokens; 0 for all."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    """Sample from the likeliest tokens with this share of the probability."""
    seed: Seed | None = None
    """The same seed gives the same answer."""
    stop: Stop = None
    """Texts before which the answer ends, four at most."""

    def question(self, prompt_format: PromptFormat) -> Question:
        """Returns the prompt and how it is answered."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        decoding = decoding_for(
            prompt_format, seed=self.seed, stop=[text for text in stops if text],
            max_new_tokens=self.max_new_tokens, temperature=self.temperature, top_k=self.top_k, top_p=self.top_p,
        )  # fmt: skip
        return Question(prompt_format.prompt(self.instruction, self.input), decoding)


class Response(BaseModel):
    """An answer."""

    response: str
    finish_reason: Finish
    usage: Usage
    model: str
    revision: str
    warnings: list[str]


class Instances(Strict):
    """A batch of questions, as TensorFlow Serving and KServe name it."""

    instances: Annotated[list[Instruction], Field(min_length=1, max_length=MOST_PROMPTS)]


class Predictions(BaseModel):
    """The answers, in the order of the questions."""

    predictions: list[Response]


@router.post("/generate", tags=["Simple"])
async def generate(request: Request, asked: Instruction) -> Response:
    """Answers one question."""
    (answer,) = await _answers(request, [asked], None, route="/generate")
    return answer


@router.post("/predict", tags=["Simple"])
async def predict(request: Request, asked: Instances) -> Predictions:
    """Answers a batch of questions."""
    return Predictions(predictions=await _answers(request, asked.instances, None, route="/predict"))


@router.post("/v1/models/{name:path}:predict", tags=["Simple"])
async def predict_by_name(request: Request, name: str, asked: Instances) -> Predictions:
    """Answers a batch of questions, at the address that KServe's first protocol gives it."""
    return Predictions(predictions=await _answers(request, asked.instances, name, route="/predict"))


async def _answers(request: Request, asked: list[Instruction], name: str | None, *, route: str) -> list[Response]:
    service = service_of(request)
    deployment = deployment_for(service, name)
    questions = [each.question(deployment.model.format) for each in asked]
    asking = await service.ask(questions, client=client_of(request), route=route)
    try:
        texts = await asking.texts(request)
    finally:
        asking.close()
    return [_response(asking, number, text, deployment.revision.name) for number, text in enumerate(texts)]


def _response(asking: Asking, number: int, text: str, name: str) -> Response:
    answer = asking.answers[number]
    prompt, tokens = len(answer.prompt), len(answer.tokens)
    return Response(
        response=text,
        finish_reason=finish_of(answer.reason),
        usage=Usage(prompt_tokens=prompt, completion_tokens=tokens, total_tokens=prompt + tokens),
        model=name,
        revision=asking.fingerprint,
        warnings=asking.warnings_of(number),
    )
