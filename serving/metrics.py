"""Figures for Prometheus. None of them holds a text or names a client."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from serving.answering.answer import Answer

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
TOKEN_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


class Metrics:
    """The figures of one server, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter(
            "serving_requests", "Requests by route and status.", ["route", "status"], registry=registry
        )
        self.answers = Counter("serving_answers", "Answers by how they ended.", ["reason"], registry=registry)
        self.prompt_tokens = Counter(
            "serving_prompt_tokens", "Tokens of prompts that were answered.", registry=registry
        )
        self.answer_tokens = Counter("serving_answer_tokens", "Tokens of answers.", registry=registry)
        self.cut_prompts = Counter(
            "serving_cut_prompts", "Prompts that were too long and cut at their start.", registry=registry
        )
        self.swaps = Counter("serving_model_swaps", "Times that a changed revision was taken up.", registry=registry)
        self.waiting = Gauge("serving_queue_answers", "Answers that wait for their turn.", registry=registry)
        self.running = Gauge("serving_running_answers", "Answers that are being computed.", registry=registry)
        self.model = Gauge(
            "serving_model", "The model that answers, always 1.", ["name", "revision"], registry=registry
        )
        self.first_token = Histogram(
            "serving_first_token_seconds",
            "From the question to its first token.",
            buckets=SECONDS,
            registry=registry,
        )
        self.token = Histogram(
            "serving_token_seconds",
            "Of an answer's later tokens, on average.",
            buckets=TOKEN_SECONDS,
            registry=registry,
        )
        self.answer = Histogram(
            "serving_answer_seconds", "From the question to the end.", buckets=SECONDS, registry=registry
        )

    def watch(self, *, waiting: Callable[[], int], running: Callable[[], int]) -> None:
        """Has the gauges ask whenever they are read."""
        self.waiting.set_function(waiting)
        self.running.set_function(running)

    def serve(self, name: str, revision: str) -> None:
        """Tells which model answers from now on."""
        self.model.clear()
        self.model.labels(name, revision).set(1)

    def count(self, answer: Answer, *, cut: int) -> None:
        """Counts an answer that is over."""
        times, tokens = answer.times, len(answer.tokens)
        self.answers.labels(answer.reason or "cancelled").inc()
        self.prompt_tokens.inc(len(answer.prompt))
        self.answer_tokens.inc(tokens)
        self.cut_prompts.inc(1 if cut else 0)
        if times.ended is None:
            return
        self.answer.observe(times.ended - times.asked)
        if times.first_token is not None:
            self.first_token.observe(times.first_token - times.asked)
            if tokens > 1:
                self.token.observe((times.ended - times.first_token) / (tokens - 1))

    def text(self) -> bytes:
        """Returns all figures in Prometheus' text format."""
        return generate_latest(self.registry)
