"""Many questions at once: they join each other, are shared out fairly, and answer as if each were alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from serving.answering.answer import Answer
from serving.answering.errors import ClosedError, TooManyWaitingError
from serving.answering.line import BatchRule
from serving.answering.model import Model
from serving.answering.prompt import Decoding
from serving.answering.rounds import RoundRule
from serving.answering.scheduler import Limits, Scheduler

Question = tuple[tuple[str, ...], Decoding]
USUAL = Limits()
GREEDY = Decoding(max_new_tokens=24)
SAMPLED = Decoding(max_new_tokens=20, temperature=1.0)


@contextmanager
def scheduling(model: Model, limits: Limits = USUAL) -> Iterator[Scheduler]:
    scheduler = Scheduler(model, limits)
    try:
        yield scheduler
    finally:
        scheduler.close()


def question(model: Model, text: str = "What?", decoding: Decoding = GREEDY) -> Question:
    return model.encode(model.format.prompt(text), max_new_tokens=decoding.max_new_tokens).tokens, decoding


def text_of(answer: Answer) -> str:
    return "".join(piece.text for piece in answer.pieces())


def texts(answers: list[Answer]) -> list[str]:
    return [text_of(answer) for answer in answers]


def test_answers_are_the_same_alone_and_among_others_however_often_they_are_broken_off(even_model: Model) -> None:
    questions = [question(even_model, f"Question {'x' * number}?") for number in range(12)]
    with scheduling(even_model) as scheduler:
        alone = [text_of(scheduler.ask([each])[0]) for each in questions]
    hasty = Limits(lanes=1, round=RoundRule(tokens=1, share=0.0), gather_seconds=0.0)
    with scheduling(even_model, hasty) as scheduler:
        together = []
        for each in questions:
            together += scheduler.ask([each])
            time.sleep(0.002)
        assert texts(together) == alone


def test_a_prompt_of_one_token_does_not_cut_those_that_come_with_it(even_model: Model) -> None:
    prompts = [even_model.encode(text, max_new_tokens=12).tokens for text in ("a", "b", "abc", "What?")]
    questions = [(tokens, Decoding(max_new_tokens=12)) for tokens in prompts]
    with scheduling(even_model, Limits(lanes=1)) as scheduler:
        alone = [text_of(scheduler.ask([each])[0]) for each in questions]

        assert [len(tokens) for tokens in prompts[:2]] == [1, 1]
        assert texts(scheduler.ask(questions)) == alone


def test_the_same_seed_gives_the_same_answer_whoever_else_asks(even_model: Model) -> None:
    seeded = question(even_model, decoding=Decoding(max_new_tokens=20, temperature=1.0, seed=7))
    with scheduling(even_model) as scheduler:
        (alone,) = texts(scheduler.ask([seeded]))
        others = scheduler.ask([question(even_model, decoding=SAMPLED)] * 8)
        again = scheduler.ask([seeded, seeded])
        unlike = texts(others)

        assert texts(again) == [alone, alone]
        assert len(set(unlike)) == 8
        assert alone not in unlike


def test_another_seed_gives_another_answer(even_model: Model) -> None:
    with scheduling(even_model) as scheduler:
        questions = [
            question(even_model, decoding=Decoding(max_new_tokens=20, temperature=1.0, seed=seed)) for seed in range(4)
        ]
        assert len(set(texts(scheduler.ask(questions)))) == 4


def test_one_who_comes_later_joins_within_a_few_tokens(long_model: Model) -> None:
    limits = Limits(lanes=1, round=RoundRule(tokens=4, share=0.0))
    with scheduling(long_model, limits) as scheduler:
        (first,) = scheduler.ask([question(long_model, decoding=Decoding(max_new_tokens=400))])
        next(first.pieces())
        before = len(first.tokens)
        (second,) = scheduler.ask([question(long_model, decoding=Decoding(max_new_tokens=8))])
        next(second.pieces())

        # Eight tokens of the round, two steps until all have noticed, and what is made while this thread wakes up.
        assert len(first.tokens) - before < 40
        assert not first.is_over
        first.cancel()


def test_answers_of_different_decoding_take_turns(long_model: Model) -> None:
    limits = Limits(lanes=1, round=RoundRule(tokens=4, share=0.0))
    with scheduling(long_model, limits) as scheduler:
        greedy = scheduler.ask([question(long_model, decoding=Decoding(max_new_tokens=300))])
        sampled = scheduler.ask([question(long_model, decoding=Decoding(max_new_tokens=40, temperature=0.5))])
        text_of(sampled[0])

        assert not greedy[0].is_over
        assert sampled[0].reason == "length"
        text_of(greedy[0])
        assert len(greedy[0].tokens) == 300


def test_a_client_with_many_questions_does_not_keep_another_waiting(long_model: Model) -> None:
    limits = Limits(lanes=1, batch=BatchRule(rows=2, spread=48), round=RoundRule(tokens=1, share=0.0))
    with scheduling(long_model, limits) as scheduler:
        short = question(long_model, decoding=Decoding(max_new_tokens=30))
        greedy_client = scheduler.ask([short] * 20, client="greedy")
        (other,) = scheduler.ask([short], client="other")
        text_of(other)

        assert sum(answer.is_over for answer in greedy_client) <= 6
        texts(greedy_client)


def test_the_line_is_bounded_and_says_when_to_ask_again(long_model: Model) -> None:
    limits = Limits(lanes=1, waiting=3, batch=BatchRule(rows=1, spread=48))
    with scheduling(long_model, limits) as scheduler:
        endless = question(long_model, decoding=Decoding(max_new_tokens=400))
        answers = scheduler.ask([endless])
        next(answers[0].pieces())
        answers += scheduler.ask([endless] * 3)
        with pytest.raises(TooManyWaitingError, match=r"At most 3 answers may wait\. Received: 1 more") as refused:
            scheduler.ask([endless])
        assert refused.value.retry_after_seconds >= 1
        for answer in answers:
            answer.cancel()


def test_an_answer_that_is_given_up_stops_and_makes_room(long_model: Model) -> None:
    with scheduling(long_model, Limits(lanes=1, batch=BatchRule(rows=1))) as scheduler:
        (answer,) = scheduler.ask([question(long_model, decoding=Decoding(max_new_tokens=512))])
        next(answer.pieces())
        answer.cancel()
        made = len(answer.tokens)
        (after,) = scheduler.ask([question(long_model, decoding=Decoding(max_new_tokens=2))])
        text_of(after)

        assert answer.reason == "cancelled"
        assert len(answer.tokens) <= made + 2


def test_an_answer_ends_at_its_time_also_while_it_waits(long_model: Model) -> None:
    limits = Limits(lanes=1, batch=BatchRule(rows=1), answer_seconds=0.15, round=RoundRule(tokens=10**6))
    with scheduling(long_model, limits) as scheduler:
        endless = question(long_model, decoding=Decoding(max_new_tokens=512))
        answers = scheduler.ask([endless] * 3)
        texts(answers)

        assert [answer.reason for answer in answers] == ["time"] * 3
        assert 0 < len(answers[0].tokens) < 512
        assert len(answers[2].tokens) == 0


def test_an_error_of_the_model_is_told_and_the_next_question_answered(even_model: Model) -> None:
    with scheduling(even_model) as scheduler:
        (failed,) = scheduler.ask([(("no such token",) * 200, Decoding(max_new_tokens=4))])
        text_of(failed)
        (answer,) = scheduler.ask([question(even_model)])

        assert failed.reason == "failed"
        assert failed.error is not None
        assert text_of(answer) != ""


def test_closing_waits_for_the_answers_and_takes_no_more(long_model: Model) -> None:
    scheduler = Scheduler(long_model)
    answers = scheduler.ask([question(long_model, decoding=Decoding(max_new_tokens=60))] * 3)
    closing = threading.Thread(target=scheduler.close)
    closing.start()
    closing.join()

    assert [answer.reason for answer in answers] == ["length"] * 3
    with pytest.raises(ClosedError):
        scheduler.ask([question(long_model)])


def test_a_stop_text_ends_the_answer_before_it(even_model: Model) -> None:
    with scheduling(even_model) as scheduler:
        (whole,) = texts(scheduler.ask([question(even_model)]))
        stop = whole[len(whole) // 2 :][:2]
        tokens, decoding = question(even_model, decoding=Decoding(max_new_tokens=24, stop=(stop,)))
        (answer,) = scheduler.ask([(tokens, decoding)])

        assert text_of(answer) == whole[: whole.index(stop)]
        assert answer.reason == "stop"


def test_scores_are_those_of_the_tokens_that_were_likeliest(even_model: Model) -> None:
    with scheduling(even_model) as scheduler:
        (answer,) = scheduler.ask([question(even_model)])
        text_of(answer)
    scores = even_model.scores(answer.context(), first=len(answer.prompt), top=2)

    assert [score.token_id for score in scores] == answer.token_ids
    assert all(score.likeliest[0] == (score.token_id, score.log_prob) for score in scores)
    assert all(score.likeliest[0][1] >= score.likeliest[1][1] for score in scores)
