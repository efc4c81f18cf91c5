"""Scores a trained model with EleutherAI's lm-evaluation-harness: `make lm-eval`.

    python -m benchmarks.lm_eval [--tasks arc_easy,hellaswag] [--model FOLDER] [-- further arguments of lm_eval]

Runs the user's own `lm_eval` on the Transformers export. The harness needs PyTorch and Transformers, which this project
does not, so it belongs in an environment of its own: `uv tool install 'lm-eval[hf]'`. It downloads the data of
its tasks; with `-- --include_path FOLDER` it takes tasks from there.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path

from pipeline.config import PipelineConfig
from pipeline.layout import absolute, pipeline_root

EXPORT = Path("exports") / "transformers"
NEEDED = ("config.json", "model.safetensors", "tokenizer.json")


class HarnessError(RuntimeError):
    """The harness, or a model for it, is not there."""

    user_message = True


def main(arguments: Sequence[str]) -> int:
    """Runs lm_eval and returns its exit status; 1 with a message if it cannot be run."""
    options = _parse(arguments)
    try:
        command = harness_command(options)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stderr.write(f"{shlex.join(command)}\n")
    return subprocess.run(command, check=False).returncode


def harness_command(options: Namespace) -> list[str]:
    """Returns the command line.

    Args:
        options: from this module's command line.

    Raises:
        HarnessError: If the executable or the export is missing.
    """
    executable = shutil.which(options.executable)
    if executable is None:
        raise HarnessError(
            "lm-evaluation-harness must be installed, in an environment of its own. "
            f"Received: no {options.executable} on PATH. "
            "Run `uv tool install 'lm-eval[hf]'` or `pipx install 'lm-eval[hf]'`, or name it with --executable."
        )
    export = (options.model or newest_model(options.output_dir)) / EXPORT
    missing = [name for name in NEEDED if not (export / name).is_file()]
    if missing:
        raise HarnessError(
            f"The model must have its Transformers export. Received: {export} without {', '.join(missing)}. "
            "Name the folder of a trained model with --model."
        )
    return [
        executable,
        *("--model", "hf"),
        *("--model_args", f"pretrained={export},tokenizer={export}"),
        *("--tasks", options.tasks),
        *("--batch_size", options.batch_size),
        *("--device", options.device),
        *("--output_path", str(Path(absolute(str(options.output_dir))) / "lm_eval")),
        *options.further,
    ]


def newest_model(output_dir: Path) -> Path:
    """Returns the model that was trained last in `output_dir`.

    Raises:
        HarnessError: If there is none.
    """
    folder = pipeline_root(str(output_dir), str(PipelineConfig.model_fields["pipeline_name"].default))
    models = [path for path in (folder / "Trainer" / "model").glob("*") if path.name.isdecimal()]
    if not models:
        raise HarnessError(
            f"There must be a trained model. Received: none in {folder}. "
            "Train one (make run), or name its folder with --model."
        )
    return max(models, key=lambda path: int(path.name))


def _parse(arguments: Sequence[str]) -> Namespace:
    ours, further = list(arguments), []
    if "--" in ours:
        position = ours.index("--")
        ours, further = ours[:position], ours[position + 1 :]
    parser = ArgumentParser(prog="python -m benchmarks.lm_eval", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, help="folder of a trained model; by default the newest one")
    parser.add_argument("--output-dir", type=Path, default=Path("output"), help="of the runs")
    parser.add_argument("--tasks", default="hellaswag,arc_easy", help="the harness's names, separated by commas")
    parser.add_argument("--batch-size", default="8", help="rows that go through the model together")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--executable", default="lm_eval", help="the harness's command")
    options = parser.parse_args(ours)
    options.further = further
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
