"""Writes the exports of a GPT-2 with random weights, for measurements at a published size without its checkpoint.

python -m benchmarks.random_model FOLDER --tokenizer FOLDER_OF_GPT2S_TOKENIZER
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from modules.settings.export import ExportSettings
from modules.settings.generation import GenerationSettings

GENERATION = GenerationSettings(max_new_tokens=64)


def main(arguments: Sequence[str]) -> int:
    """Writes Format-Serving/ and exports/ into a folder."""
    options = _parse(arguments)
    write_model(options)
    return 0


def write_model(options: argparse.Namespace) -> None:
    """Writes the preset here, the other forms in the process that exports."""
    import keras

    from modules.exports import TrainedModel
    from modules.exports.process import ExportTask, Questions, export_from_trainer, export_in_subprocess
    from modules.models.gpt2.network import build_backbone
    from modules.models.gpt2.tokenizer import load_tokenizer

    keras.utils.set_random_seed(options.seed)
    tokenizer = load_tokenizer(options.tokenizer)
    backbone = build_backbone(
        vocabulary_size=tokenizer.get_vocab_size(),
        num_layers=options.layers,
        num_heads=options.heads,
        hidden_dim=options.width,
        intermediate_dim=4 * options.width,
        dropout=0.1,
        max_sequence_length=options.context,
        dtype="float32",
    )
    serving = options.folder / "Format-Serving"
    export_from_trainer(TrainedModel(backbone, tokenizer), options.folder, ExportSettings())
    del backbone
    nothing = Questions([], [])
    task = ExportTask(str(serving), GENERATION, ExportSettings(), samples=nothing, exact=nothing)
    report = json.dumps(export_in_subprocess(task), indent=2)
    (task.artifact / "exports" / "training.json").write_text(report + "\n", encoding="utf-8")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.random_model", description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write; made")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder with vocab.json and merges.txt")
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--width", type=int, default=768)
    parser.add_argument("--context", type=int, default=1024, help="tokens")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(list(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
