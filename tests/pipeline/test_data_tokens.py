"""Rows too long to train on are found before Transform, counted as the Trainer counts, told with what to set."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies
from tokenizers import Tokenizer

from data.tfrecords import Row, encode, read_examples
from modules.models.gpt2.tokenizer import ENCODED_TOGETHER, save_tokenizer, train_tokenizer
from modules.prompts import ALPACA
from modules.prompts.format import escape_end_tokens
from modules.settings.training import Overlong
from modules.training.dataset import tokenize_examples
from pipeline.components.data_gate.inspection import inspect
from pipeline.components.data_gate.tokens import TokenLimits, TokenSurvey, survey_tokens
from pipeline.config.sources import load_config
from pipeline.nodes.data import token_limits
from tests.pipeline.gating import LIMITS

SAMPLE = Path(__file__).parents[2] / "data/sample/tfrecords/sample-train-00000-of-00001.tfrecord"
FROM_SCRATCH = TokenLimits(
    sequence_length=64,
    overlong="drop",
    dropped=0.1,
    preset=None,
    tokenizer_path=None,
    vocabulary_size=300,
    context=64,
)
# 18 of 20 rows are short.
ROWS = [*(Row(f"Say {number}.", "", str(number)) for number in range(18)),
        Row("Say a lot.", "", "word " * 60), Row("Say more.", "", "word " * 200)]  # fmt: skip


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(["Say 1. ### Instruction: ### Response: word " * 3] * 3, vocabulary_size=300)


@pytest.fixture(scope="module")
def folder(tokenizer: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tokenizer's folder."""
    place = tmp_path_factory.mktemp("tokenizer")
    save_tokenizer(tokenizer, place)
    return place


def surveyed(rows: Sequence[Row], limits: TokenLimits, *, model: str | None = None) -> TokenSurvey:
    return survey_tokens(lambda: map(encode, rows), limits, model=model)


def dropped_by_the_trainer(rows: Sequence[Row], tokenizer: Tokenizer, sequence_length: int, overlong: Overlong) -> int:
    prompts = [ALPACA.format(row.instruction, row.input) for row in rows]
    examples = tokenize_examples(
        prompts,
        [escape_end_tokens(row.output) for row in rows],
        tokenizer,
        sequence_length=sequence_length,
        overlong=overlong,
    )
    return examples.rows_dropped


def words(survey: TokenSurvey) -> str:
    anomaly = survey.anomaly()
    assert anomaly is not None
    return str(anomaly)


@pytest.mark.parametrize("overlong", ["drop", "truncate_prompt"])
@pytest.mark.parametrize("sequence_length", [40, 60, 80, 100])
def test_the_gate_counts_what_the_trainer_drops(
    tokenizer: Tokenizer, folder: Path, overlong: Overlong, sequence_length: int
) -> None:
    rows = list(islice(read_examples(SAMPLE), 300))
    limits = replace(FROM_SCRATCH, tokenizer_path=str(folder), overlong=overlong, sequence_length=sequence_length)

    found = surveyed(rows, limits)

    assert found.dropped.rows == dropped_by_the_trainer(rows, tokenizer, sequence_length, overlong)
    assert found.lengths.rows == 300


def test_a_tokenizer_that_will_be_trained_is_trained_on_the_same_texts_in_whatever_order() -> None:
    rows = list(islice(read_examples(SAMPLE), 400))
    texts = sorted((ALPACA.format(row.instruction, row.input), escape_end_tokens(row.output)) for row in rows)
    trained = train_tokenizer([*(prompt for prompt, _ in texts), *(response for _, response in texts)],
                              vocabulary_size=300)  # fmt: skip

    for sequence_length in (30, 45, 60):
        found = surveyed(rows, replace(FROM_SCRATCH, sequence_length=sequence_length))
        assert found.dropped.rows == dropped_by_the_trainer(rows, trained, sequence_length, "drop")


def test_the_smallest_sequence_length_that_keeps_enough_rows_is_told_with_what_to_set(folder: Path) -> None:
    found = surveyed([*ROWS, Row("Say most.", "", "word " * 240)], replace(FROM_SCRATCH, tokenizer_path=str(folder)))
    needed = sorted(found.lengths.counts)

    assert words(found) == (
        "dropped: 3 of 21 train rows (14.3%) are longer than training.sequence_length=64 tokens and would be dropped; "
        "at most 10.0% may. Such as the row with instruction 'Say a lot.' (82 tokens); the row with instruction "
        f"'Say more.' ({needed[-2]} tokens); the row with instruction 'Say most.' ({needed[-1]} tokens). "
        f"82 tokens keep 90.5% of the rows, {needed[-1]} all: set training.sequence_length and "
        "model.max_sequence_length to 82, set training.overlong to truncate_prompt, raise data.max_dropped, or let it "
        "through with --data.allow-anomalies dropped."
    )


def test_the_rows_pass_with_what_the_message_says(folder: Path) -> None:
    rows, limits = [*ROWS, Row("Say most.", "", "word " * 240)], replace(FROM_SCRATCH, tokenizer_path=str(folder))
    length = surveyed(rows, limits).lengths.smallest_length(allowed=limits.dropped)

    assert surveyed(rows, replace(limits, sequence_length=length, context=length)).anomaly() is None
    assert surveyed(rows, replace(limits, sequence_length=length - 1)).anomaly() is not None


def test_a_context_that_is_long_enough_stays_as_it_is(folder: Path) -> None:
    found = surveyed(ROWS, replace(FROM_SCRATCH, tokenizer_path=str(folder), dropped=0.0, context=1024))

    assert f"{found.lengths.longest} tokens keep 100.0% of the rows: set training.sequence_length to " in words(found)
    assert "max_sequence_length" not in words(found)


def test_a_cut_prompt_is_no_way_out_where_prompts_are_cut_already(folder: Path) -> None:
    found = surveyed(ROWS, replace(FROM_SCRATCH, tokenizer_path=str(folder), dropped=0.04, overlong="truncate_prompt"))

    assert " train rows (5.0%) have a response longer than training.sequence_length=64 tokens" in words(found)
    assert "truncate_prompt" not in words(found)


# --------------------------------------------------------------------------------------- The initial model's


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What InitialModel leaves, as far as the tokenizer goes: a Transformers checkpoint's configuration."""
    place = tmp_path_factory.mktemp("model") / "exports/transformers"
    place.mkdir(parents=True)
    config = {"model_type": "gpt2", "vocab_size": 300, "n_layer": 1, "n_head": 2, "n_embd": 32, "n_positions": 90}
    (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    return place.parents[1]


def test_an_initial_model_counts_with_its_own_tokenizer_and_its_context_is_the_limit(
    tokenizer: Tokenizer, model: Path
) -> None:
    limits = replace(FROM_SCRATCH, preset="hub:me/model@main", context=None, dropped=0.04)
    found = surveyed(ROWS, limits, model=str(model))

    assert found.dropped.rows == dropped_by_the_trainer(ROWS, tokenizer, 64, "drop")
    assert (
        f"{found.lengths.longest} tokens keep 100.0% of the rows, but hub:me/model@main has a context of 90, which "
        "keeps 95.0%: shorten the rows, set training.overlong to truncate_prompt"
    ) in words(found)


def test_a_folder_named_as_preset_is_read_alike(model: Path) -> None:
    limits = replace(FROM_SCRATCH, preset=str(model), context=None)

    assert surveyed(ROWS, limits).context == 90


# -------------------------------------------------------------------------------------------- In the gate


def test_the_anomaly_stops_the_run_with_the_others_unless_it_is_let_through(folder: Path) -> None:
    tokens = surveyed(ROWS, replace(FROM_SCRATCH, tokenizer_path=str(folder), dropped=0.0))
    found = inspect(
        {"train": map(encode, ROWS), "eval": map(encode, ROWS[:1])},
        limits=LIMITS,
        validated={"train": Anomalies()},
        earlier=None,
        tokens=tokens,
    )
    report = json.loads(found.record(frozenset({"dropped"})).render())

    assert [problem.partition(":")[0] for problem in found.problems(frozenset())] == ["eval_in_train", "dropped"]
    assert [anomaly["name"] for anomaly in report["allowed"]] == ["dropped"]
    assert report["shares"]["train"]["dropped"] == pytest.approx(0.1)
    assert report["tokens"] == {
        "sequence_length": 64, "rows": 20, "dropped": 2, "longest": tokens.lengths.longest
    }  # fmt: skip


def test_rows_are_read_a_few_thousand_at_a_time(folder: Path) -> None:
    alive, most = 0, 0

    class Counted(bytes):
        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    def records() -> Iterator[bytes]:
        nonlocal alive, most
        for number in range(3 * ENCODED_TOGETHER):
            alive += 1
            most = max(most, alive)
            yield Counted(encode(Row(f"Say {number}.", "", "it")))

    found = survey_tokens(records, replace(FROM_SCRATCH, tokenizer_path=str(folder)), model=None)

    assert found.lengths.rows == 3 * ENCODED_TOGETHER
    assert most <= ENCODED_TOGETHER + 100


# -------------------------------------------------------------------------------------- The configuration


def test_the_gate_is_told_what_the_trainer_is_told() -> None:
    limits = token_limits(load_config(["--profile", "gpt2_base", "--data.max-dropped", "0.2"], {}))

    assert limits == TokenLimits(
        sequence_length=512,
        overlong="truncate_prompt",
        dropped=0.2,
        preset="gpt2_base_en",
        tokenizer_path=None,
        vocabulary_size=50257,
        context=1024,
    )


def test_another_file_in_a_tokenizers_folder_is_another_cache_key(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "tokenizer"
    place.mkdir()
    for path in folder.iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    config = load_config(["--model.tokenizer-path", str(place)], {})
    before = token_limits(config)
    (place / "vocab.json").write_text("{}", encoding="utf-8")

    assert before is not None
    assert before.tokenizer_path == str(place)
    assert token_limits(config) not in (None, before)


def test_documents_may_have_any_length() -> None:
    assert token_limits(load_config(["--profile", "pretrain"], {})) is None


@pytest.mark.parametrize(("field", "counted"), [("training.sequence_length", False), ("training.epochs", True)])
def test_lengths_that_a_run_on_kubeflow_may_set_are_left_to_the_trainer(field: str, counted: bool) -> None:
    config = load_config(["--kubeflow.parameters", field], {})

    assert (token_limits(config, has_history=False) is not None) is counted
    assert token_limits(config) is not None
