"""Asks the published model the held-out questions: `make answers`.

The model is downloaded from the local Hub with the real client, so that what is judged is what was published: the
SavedModel, and the CTranslate2 form that the Space runs. Every evaluation row of the sample data set has exactly one
right answer, in a phrasing that training never saw; an answer counts if it equals it, end of answer included.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from data.tfrecords import Row, read_examples
from hub.server import running
from pipeline.config import PipelineConfig
from pipeline.config.sources import load_config
from pipeline.layout import hub_folder, log_path
from pipeline.local.noise import filtered_stderr

ANSWER_BATCH = 64
Answer = Callable[[Sequence[Row]], list[str]]


def main(arguments: Sequence[str]) -> int:
    """Prints a table of all answers, then the share of exact ones per form; 1 if a share is below the minimum."""
    options, rest = _parse(arguments)
    config = load_config(rest, os.environ)
    rows = [row for path in _eval_files(config) for row in read_examples(path)]
    log = log_path(config.output_dir, "held-out-answers")
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, filtered_stderr(log):
        model = download(config, Path(folder), revision=options.revision)
        forms = {"SavedModel": answer_with_saved_model(model), "CTranslate2": answer_with_ctranslate2(model)}
        answers = {form: answer(rows) for form, answer in forms.items()}
    sys.stdout.write(table(rows, answers))
    shares = {form: exact_share(rows, given) for form, given in answers.items()}
    for form, share in shares.items():
        sys.stdout.write(f"{form}: {round(share * len(rows))} of {len(rows)} exact ({share:.1%})\n")
    return 0 if min(shares.values()) >= options.minimum else 1


def download(config: PipelineConfig, folder: Path, *, revision: str) -> Path:
    """Returns the published files of one revision, fetched over HTTP from the local Hub."""
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
    from huggingface_hub import snapshot_download

    with running(hub_folder(config.output_dir), port=config.publish.local_port) as endpoint:
        return Path(
            snapshot_download(
                config.publish.repo_id, revision=revision, endpoint=endpoint, cache_dir=folder, token="local"
            )
        )


def answer_with_saved_model(model: Path) -> Answer:
    """Answers through the `instruct` signature, greedily."""
    import tensorflow as tf
    import tensorflow_text  # noqa: F401 - registers the operations that the graph uses

    loaded = tf.saved_model.load(str(model / "saved_model"))

    def answer(rows: Sequence[Row]) -> list[str]:
        given: list[str] = []
        for start in range(0, len(rows), ANSWER_BATCH):
            batch = rows[start : start + ANSWER_BATCH]
            instructions, inputs = ([getattr(row, name) for row in batch] for name in ("instruction", "input"))
            responses = loaded.instruct(tf.constant(instructions), tf.constant(inputs))["response"].numpy()
            given.extend(response.decode(errors="replace") for response in responses)
        return given

    return answer


def answer_with_ctranslate2(model: Path) -> Answer:
    """Answers through the int8 weights and prompt.json, as the Space does."""
    import ctranslate2
    from tokenizers import Tokenizer

    generator = ctranslate2.Generator(str(model / "ctranslate2"))
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    spec = json.loads((model / "prompt.json").read_text(encoding="utf-8"))

    def answer_one(row: Row) -> str:
        blank = not row.input.strip(spec["blank_characters"])
        prompt = spec["without_input" if blank else "with_input"].format(instruction=row.instruction, input=row.input)
        tokens = tokenizer.encode(prompt, add_special_tokens=False).tokens
        (result,) = generator.generate_batch(
            [tokens],
            max_length=spec["generation"]["max_new_tokens"],
            sampling_topk=1,
            include_prompt_in_result=False,
        )
        return tokenizer.decode(result.sequences_ids[0])

    return lambda rows: [answer_one(row) for row in rows]


def exact_share(rows: Sequence[Row], given: Sequence[str]) -> float:
    """Returns the share of answers that equal the row's output, 0 to 1."""
    return sum(answer == row.output for row, answer in zip(rows, given, strict=True)) / len(rows)


def table(rows: Sequence[Row], answers: dict[str, list[str]]) -> str:
    """Returns one line per question; a wrong answer is followed by the right one."""
    lines = ["| question | " + " | ".join(answers) + " |", "| --- |" + " --- |" * len(answers)]
    for index, row in enumerate(rows):
        cells = [_cell(row.instruction + (f" / {row.input}" if row.input else ""))]
        for given in answers.values():
            right = given[index] == row.output
            cells.append(_cell(given[index]) + ("" if right else f" ✗ ({_cell(row.output)})"))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _eval_files(config: PipelineConfig) -> list[Path]:
    files = sorted(Path(config.data.path).glob(config.data.eval_pattern))
    if not files:
        raise SystemExit(f"There are no held-out rows: {config.data.path}/{config.data.eval_pattern} matches no file.")
    return files


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.held_out_answers", description=__doc__)
    parser.add_argument("--minimum", type=float, default=0.9, help="exact share below which to fail (0 to 1)")
    parser.add_argument("--revision", default="main", help="which published revision to ask")
    return parser.parse_known_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
