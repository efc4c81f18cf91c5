import re
from collections import Counter
from pathlib import Path

from data.origin import MANIFEST, parse_origin
from data.sample.facts import CATEGORIES, DAYS_AFTER, DAYS_BEFORE, DIFFERENCES, PRODUCTS, SORTED_WORDS, SUMS
from data.sample.generate import DEFAULT_OUT, Question, split_questions, write
from data.sample.tasks import TASKS
from data.tfrecords import Row, read_examples, verify

TRAIN = DEFAULT_OUT / "sample-train-00000-of-00001.tfrecord"
EVAL = DEFAULT_OUT / "sample-eval-00000-of-00001.tfrecord"


def test_generating_again_gives_the_committed_files_byte_for_byte(tmp_path: Path):
    assert write(tmp_path) == {"train": 2031, "eval": 207}
    assert sorted(path.name for path in tmp_path.iterdir()) == [MANIFEST, EVAL.name, TRAIN.name]
    assert (tmp_path / MANIFEST).read_bytes() == DEFAULT_OUT.joinpath(MANIFEST).read_bytes()
    assert (tmp_path / TRAIN.name).read_bytes() == TRAIN.read_bytes()
    assert (tmp_path / EVAL.name).read_bytes() == EVAL.read_bytes()


def test_the_committed_files_are_fit_for_training_and_small():
    assert verify({"train": [TRAIN], "eval": [EVAL]}) == []
    assert TRAIN.stat().st_size + EVAL.stat().st_size < 500_000


def test_the_committed_files_come_with_the_licence_that_the_readme_names():
    assert parse_origin(DEFAULT_OUT.joinpath(MANIFEST).read_bytes(), MANIFEST).license == "cc0-1.0"
    assert "Licence: CC0 1.0" in DEFAULT_OUT.with_name("README.md").read_text(encoding="utf-8")


def test_no_question_of_eval_is_asked_in_train():
    asked = {(row.instruction, row.input) for row in read_examples(TRAIN)}
    assert [row for row in read_examples(EVAL) if (row.instruction, row.input) in asked] == []


def test_every_fact_of_eval_is_in_train_in_at_least_four_phrasings():
    questions = split_questions()
    phrasings = Counter((question.task, question.key) for question in questions["train"])
    assert {phrasings[question.task, question.key] for question in questions["eval"]} <= {4, 6, 7, 8}


def test_a_fact_asked_with_an_input_in_eval_is_asked_with_an_input_in_train():
    questions = split_questions()
    with_input = {(question.task, question.key) for question in questions["train"] if question.row.input}
    asked = {(question.task, question.key) for question in questions["eval"] if question.row.input}
    assert len(asked) == 75
    assert asked <= with_input


def test_every_word_of_eval_is_known_from_train_in_the_same_form():
    def forms(question: Question) -> set[str]:
        return {form for text in question.row[:2] for form in re.findall(r" ?\w+| ?[^\w\s]+", text)}

    questions = split_questions()
    counts = Counter(form for question in questions["train"] for form in forms(question))
    assert {form for question in questions["eval"] for form in forms(question) if counts[form] < 2} == set()


def test_about_half_of_eval_is_phrased_as_nothing_in_train_is():
    questions = split_questions()
    trained = {question.phrasing for question in questions["train"]}
    assert sum(question.phrasing not in trained for question in questions["eval"]) == 105
    assert trained == {phrasing for task in TASKS for phrasing in task.trained}


def test_no_question_has_two_answers():
    questions = split_questions()
    rows = [question.row for split in questions.values() for question in split]
    answers: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        answers.setdefault((row.instruction, row.input), set()).add(row.output)
    assert [prompt for prompt, outputs in answers.items() if len(outputs) > 1] == []
    assert len(answers) == len(rows) == 2238


def test_rows_read_as_written():
    rows = [*read_examples(TRAIN), *read_examples(EVAL)]
    assert Row("What is the capital of France?", "", "Paris") in rows
    assert Row("Make this noun plural.", "box", "boxes") in rows
    assert Row("Is this word a noun or a verb?", "river", "noun") in rows


def test_computed_facts_are_right():
    assert all(int(total) == a + b for (a, b), total in SUMS.items())
    assert all(int(rest) == a - b for (a, b), rest in DIFFERENCES.items())
    assert all(int(product) == a * b for (a, b), product in PRODUCTS.items())
    assert all(ordered.split(", ") == sorted(words.split(", ")) for words, ordered in SORTED_WORDS.items())
    assert (len(SUMS), len(DIFFERENCES), len(PRODUCTS), len(SORTED_WORDS)) == (25, 15, 16, 24)
    assert (DAYS_AFTER["Sunday"], DAYS_BEFORE["Monday"]) == ("Monday", "Sunday")
    assert Counter(CATEGORIES.values()) == {"animal": 6, "fruit": 6, "clothing": 6, "instrument": 6}


def test_the_readme_counts_what_the_files_hold():
    lines = DEFAULT_OUT.with_name("README.md").read_text(encoding="utf-8").splitlines()
    questions = split_questions()
    train, evaluation = (Counter(question.task for question in questions[split]) for split in ("train", "eval"))
    for task in TASKS:
        counts = f"| {task.name} | {len(task.facts)} | {train[task.name]} | {evaluation[task.name]} |"
        assert sum(line.startswith(counts) for line in lines) == 1, counts
    assert "| **all** | 334 | 2031 | 207 | | |" in lines
