"""Everything that can be checked before TensorFlow is imported and money is spent, all problems together."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from data.errors import SourceError
from data.origin import parse_origin
from data.records import Damage, Example, read_records
from data.tfrecords import verify
from hub.card_rules import LICENSES
from hub.server import served_folder
from modules.training.callback_names import name_problems
from pipeline.config import PipelineConfig
from pipeline.config.sources import Reading, UnknownValueError
from pipeline.dataset_manifest import dataset_manifest
from pipeline.disk_checks import disk_problems
from pipeline.errors import PreflightError
from pipeline.evaluation import SLICE_VALUES, parse_all
from pipeline.initial_model_checks import initial_model_problems
from pipeline.layout import absolute, hub_folder
from pipeline.placeholders import owner_problems
from pipeline.publish_checks import publish_problems
from pipeline.spans import PatternError, newest_files
from publishing.errors import SigningError, SpaceTemplateError
from publishing.signing import key_signer
from publishing.space_template import check_template

# How the files of data.path come about, by data.kind.
MAKING = {
    "instructions": "python -m data.prepare --help for rows",
    "text": "python -m data.prepare --help for raw text",
}
TOKENIZER_FILES = ("vocab.json", "merges.txt")


def check(reading: Reading, environment: Mapping[str, str]) -> PipelineConfig:
    """Looks for everything that would make the run fail later; returns the configuration if there is nothing.

    Raises:
        PreflightError: With all problems at once: those of the values, and what can be found in spite of them.
    """
    found = (problem for each in CHECKS for problem in _known_problems(each, reading, environment))
    problems = [*reading.problems, *found]
    if problems:
        raise PreflightError(problems)
    return reading.config


def _known_problems(check: Check, reading: Reading, environment: Mapping[str, str]) -> Iterator[str]:
    with suppress(UnknownValueError):
        yield from check(reading.known, environment)


def _rows(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    folder = Path(absolute(config.data.path))
    if not folder.is_dir():
        yield (
            f"data.path must be a folder with TFRecord files. Received: {folder}. "
            f"Set --data.path, or make the files first ({MAKING[config.data.kind]})."
        )
        return
    patterns = {"train": config.data.train_pattern, "eval": config.data.eval_pattern}
    try:
        found = {split: newest_files(folder, pattern) for split, pattern in patterns.items()}
    except PatternError as error:
        yield f"data.train_pattern, data.eval_pattern: {error}"
        return
    for split in [split for split, files in found.items() if not files.paths]:
        yield (
            f"data.{split}_pattern must match a file. Received: {patterns[split]!r} in {folder}, which holds "
            f"{_listing(folder)}. Rename the files or set --data.{split}-pattern."
        )
    train, evaluation = found["train"], found["eval"]
    if train.paths and evaluation.paths and train.span != evaluation.span:
        yield (
            "The newest data must have both splits. "
            f"Received: {train.span or 'no span'} for train, {evaluation.span or 'no span'} for eval, in {folder}. "
            "Write what is missing, or name both patterns alike."
        )
    yield from verify(
        {split: files.paths for split, files in found.items() if files.paths},
        kind=config.data.kind,
        blank_allowed=_blank_allowed(config),
    )


def _blank_allowed(config: PipelineConfig) -> bool:
    """Returns whether blank texts are let through, or may be: a misspelt anomaly must not hide what is wrong with
    the rows."""
    try:
        return "blank" in config.data.allow_anomalies
    except UnknownValueError:
        return True


def _licenses(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    """Yields the problems of dataset.json, and licences that the Hub would refuse after the training."""
    licenses = {"publish.license": config.publish.license}
    try:
        manifest = dataset_manifest(config.data)
        if manifest is not None:
            licenses[str(manifest)] = parse_origin(manifest.read_bytes(), str(manifest)).license
    except PatternError:
        pass  # which another check reports
    except SourceError as error:
        yield str(error)
    for source, license in licenses.items():
        if license is not None and license not in LICENSES:
            yield (
                f"{source}: a licence must be one of the Hub's identifiers. Received: {license!r}. "
                "Take one of https://huggingface.co/docs/hub/repositories-licenses, or other."
            )


def _slices(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    """Columns that are to be sliced by, and that the rows do not have."""
    evaluation = config.evaluation
    conditions = [
        *parse_all(evaluation.thresholds, is_change=False),
        *parse_all(evaluation.against_baseline, is_change=True),
    ]
    wanted = {*evaluation.slices, *(condition.rows.column for condition in conditions if condition.rows)}
    try:
        files = newest_files(Path(absolute(config.data.path)), config.data.eval_pattern).paths
    except PatternError:
        return  # which another check reports
    if not evaluation.enabled or not files or not wanted - SLICE_VALUES.keys():
        return
    present = first_row_columns(files[0])
    for column in sorted(wanted - SLICE_VALUES.keys() - present):
        yield (
            "evaluation.slices and the conditions must name columns of the rows. "
            f"Received: {column!r}; the rows of {files[0].name} have {', '.join(sorted(present))}. "
            f"Take one of them, or {', '.join(SLICE_VALUES)}."
        )


def _schema(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    schema = config.data.schema_
    if schema != "infer" and not Path(absolute(schema)).is_file():
        yield f"data.schema must be a .pbtxt file or `infer`. Received: {absolute(schema)}, an absent file."


def _model(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    model = config.model
    if model.preset is not None:
        yield from initial_model_problems(config)
    elif model.tokenizer_path is not None:
        folder = Path(absolute(model.tokenizer_path))
        missing = [name for name in TOKENIZER_FILES if not (folder / name).is_file()]
        if missing:
            yield (
                f"model.tokenizer_path must hold {' and '.join(TOKENIZER_FILES)}. "
                f"Received: {folder} without {' and '.join(missing)}. Name the folder that holds them."
            )


def _backend(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    if config.training.backend == "jax" and find_spec("jax") is None:
        yield (
            "training.backend=jax needs JAX. Received: it is not installed. "
            "Run `make setup EXTRAS=jax`, or EXTRAS=jax-gpu for an NVIDIA GPU, or set training.backend to tensorflow."
        )


def _onnx(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    missing = [package for package in ("tf2onnx", "onnxruntime") if find_spec(package) is None]
    if config.export.onnx and missing:
        yield (
            f"export.onnx needs tf2onnx and onnxruntime. Received: no {' and no '.join(missing)} is installed. "
            "Run `make setup EXTRAS=onnx`, or set export.onnx to none."
        )


def _callbacks(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    yield from name_problems(config.training.callbacks)


def _space(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    if not config.publish.enabled or not config.publish.space:
        return
    try:
        check_template(Path(absolute(config.publish.space_template)), sdk=config.publish.space_sdk)
    except SpaceTemplateError as error:
        yield f"publish.space_template: {error}"
    if "ctranslate2" not in config.publish.exports:
        yield (
            "publish.exports: the Space answers with ctranslate2. "
            f"Received: {', '.join(config.publish.exports)}. Add ctranslate2."
        )


def _signing(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    variable = config.publish.signing_key_env
    if not config.publish.enabled or variable is None:
        return
    try:
        key_signer(environment, variable=variable)
    except SigningError as error:
        yield f"publish.signing_key_env: {error}"


def _owners(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    yield from owner_problems(config)


def _hub(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    publish = config.publish
    if not publish.enabled:
        return
    if publish.endpoint != "local":
        yield from publish_problems(config, environment)
    elif publish.local_port and not _port_usable(publish.local_port, hub_folder(config.output_dir)):
        yield (
            "publish.local_port must be free for the embedded Hub. "
            f"Received: {publish.local_port} is taken by another program or another --output-dir's Hub. "
            "Stop it, set another --publish.local-port, or none for a free one."
        )


def _disk(config: PipelineConfig, environment: Mapping[str, str]) -> Iterator[str]:
    yield from disk_problems(config)


def first_row_columns(path: Path) -> set[str]:
    """Returns the features of a file's first row; empty if there is none, which another check reports."""
    record = next(read_records(path), None)
    if record is None or isinstance(record, Damage):
        return set()
    return set(Example.FromString(record).features.feature)


def _port_usable(port: int, storage: Path) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return error.errno == errno.EADDRINUSE and served_folder("127.0.0.1", port) == storage.resolve()
    return True


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir())
    shown = ", ".join(names[:5]) or "nothing"
    return f"{shown}, … ({len(names)} entries)" if len(names) > 5 else shown


Check = Callable[[PipelineConfig, Mapping[str, str]], Iterator[str]]
CHECKS: tuple[Check, ...] = (
    _rows, _licenses, _slices, _schema, _model, _backend, _onnx, _callbacks, _space, _signing, _owners, _hub, _disk,
)  # fmt: skip
