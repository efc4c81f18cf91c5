"""The share of prompts that are answered exactly."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

ANSWER_BATCH = 64


def exact_answers(
    respond: Callable[[Sequence[str]], list[str]],
    prompts: Sequence[str],
    expected: Sequence[str],
    *,
    rows: int,
) -> dict[str, Any] | None:
    """Returns how many of the first `rows` prompts are answered with exactly the expected text.

    An answer that does not stop by itself is cut at the token limit, and so cannot equal a shorter expected
    one.

    Args:
        respond: prompts in, responses out.
        prompts: what to ask.
        expected: the one right answer to each.
        rows: how many to ask; 0 asks none.

    Returns:
        ``rows``, ``exact`` (counts) and ``share`` (0 to 1); None when `rows` is 0.
    """
    prompts, expected = prompts[:rows], expected[:rows]
    if not prompts:
        return None
    answers: list[str] = []
    for start in range(0, len(prompts), ANSWER_BATCH):
        answers.extend(respond(prompts[start : start + ANSWER_BATCH]))
    exact = sum(answer == wanted for answer, wanted in zip(answers, expected, strict=True))
    return {"rows": len(prompts), "exact": exact, "share": exact / len(prompts)}
