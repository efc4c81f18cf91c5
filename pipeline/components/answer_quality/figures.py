"""Answers beside the expected ones, as figures; the keys are :data:`pipeline.evaluation.ANSWER_METRICS`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.components.answer_quality.answering import Answer

WORDS = re.compile(r"\w+")
WORDS_AND_MARKS = re.compile(r"\w+|[^\w\s]")
N = 4


class UnicodeWords:
    """Words for rouge_score, whose own tokenizer drops every letter outside a to z; on English text the same."""

    def tokenize(self, text: str) -> list[str]:
        """Returns the words of `text`, lower case."""
        return WORDS.findall(text.lower())


def measure(answers: Sequence[Answer], expected: Sequence[str]) -> dict[str, float]:
    """Returns all figures.

    Args:
        answers: at least one.
        expected: the text that each should be.
    """
    texts = [answer.text.strip() for answer in answers]
    wanted = [text.strip() for text in expected]
    return {
        "exact_match": fmean(text == want for text, want in zip(texts, wanted, strict=True)),
        "rouge_l": fmean(rouge_l(text, want) for text, want in zip(texts, wanted, strict=True)),
        "bleu": bleu(texts, wanted),
        "stopped": fmean(answer.stopped for answer in answers),
        "answer_characters": fmean(map(len, texts)),
        "repetition": fmean(map(repetition, texts)),
    }


def rouge_l(text: str, expected: str) -> float:
    """Returns F1 of the longest common subsequence of words (Lin 2004); of an expected text without words, exact
    match."""
    from rouge_score.rouge_scorer import RougeScorer  # type: ignore[import-untyped]

    if not WORDS.search(expected):
        return float(text == expected)
    scorer = RougeScorer(["rougeL"], tokenizer=UnicodeWords())
    return float(scorer.score(expected, text)["rougeL"].fmeasure)


def bleu(texts: Sequence[str], expected: Sequence[str]) -> float:
    """Returns the corpus BLEU (Papineni et al. 2002) with sacrebleu's defaults, 0 to 100."""
    from sacrebleu import corpus_bleu

    return float(corpus_bleu(list(texts), [list(expected)]).score)


def repetition(text: str) -> float:
    """Returns the share of 4-grams of words and marks that came before in a text (seq-rep-4, Welleck et al. 2020)."""
    words = WORDS_AND_MARKS.findall(text)
    grams = [tuple(words[start : start + N]) for start in range(len(words) - N + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
