"""What the configuration refuses of the data gate's and the evaluation's settings, before anything runs."""

from __future__ import annotations

import pytest

from pipeline.config.sources import ConfigError, load_config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--data.allow-anomalies", "duplicates,leak"],
            "data.allow_anomalies: There is no such anomaly. Received: 'leak'. Take one of schema, blank, length, "
            "duplicates, eval_in_train, skew, drift, dropped. It is from --data.allow-anomalies.",
        ),
        (
            ["--evaluation.thresholds", "loss<=3 rouge>=0.5"],
            "evaluation.thresholds: There is no such metric. Received: 'rouge>=0.5'. Take one of loss, perplexity, "
            "token_accuracy, bits_per_byte, tokens, scored_rows, rows, exact_match, rouge_l, bleu, stopped, "
            "answer_characters, repetition. It is from --evaluation.thresholds.",
        ),
        (
            ["--evaluation.thresholds", "rouge_l>=0.5"],
            "evaluation.thresholds: A model must satisfy at least one condition on its scores to be published. "
            "Received: rouge_l>=0.5. Write one, such as loss<=10, or set evaluation.enabled to false.",
        ),
        (
            ["--evaluation.thresholds", "loss<=10 stopped>=0.5", "--evaluation.answer-rows", "0"],
            "Conditions on answers need answers. Received: stopped>=0.5 with data.kind=instructions, "
            "evaluation.answer_rows=0. Raise evaluation.answer_rows, or remove the conditions.",
        ),
        (["--data.max-drift", "1.5"], "data.max_drift: input should be less than or equal to 1. Received: '1.5'"),
    ],
)
def test_settings_that_make_no_sense_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(arguments, {})
    assert any(problem.startswith(message) for problem in caught.value.problems), caught.value.problems


def test_conditions_on_answers_stand_beside_those_on_scores() -> None:
    config = load_config(
        ["--evaluation.thresholds", "loss<=10,rouge_l>=0.2", "--evaluation.against-baseline", "bleu>=-10%"], {}
    )

    assert config.evaluation.thresholds == ("loss<=10", "rouge_l>=0.2")
    assert config.evaluation.against_baseline == ("bleu>=-10%",)


def test_without_evaluation_there_is_nothing_to_contradict() -> None:
    arguments = ["--evaluation.enabled", "false", "--evaluation.answer-rows", "0"]

    load_config([*arguments, "--evaluation.thresholds", "loss<=10 stopped>=0.5"], {})
