"""A preparation from its settings to its output folder."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.errors import SourceError, SourceUnavailable
from data.folder import replaced_folder, require_replaceable
from data.origin import MANIFEST, Origin
from data.prepare import dropped
from data.prepare.croissant import CROISSANT, croissant_text
from data.prepare.page import PAGE, render_page
from data.prepare.pipeline import run_pipeline
from data.prepare.planning import prepare_work
from data.prepare.report import REPORT, dataset_report
from data.prepare.settings import PrepareSettings
from data.prepare.work import Work, held
from data.prepare.writing import OUT
from data.tfrecords import verify

OWN_FILE = re.compile(
    r"rows-(train|eval)-\d{5}-of-\d{5}\.tfrecord|"
    + "|".join(map(re.escape, (REPORT, PAGE, MANIFEST, CROISSANT, dropped.NAME)))
)


def prepare(
    settings: PrepareSettings,
    out: Path,
    *,
    work_folder: Path | None = None,
    beam_flags: Sequence[str] = (),
    is_dry: bool = False,
) -> tuple[dict[str, Any], Origin]:
    """Writes the output folder, which appears complete or not at all; returns report and origin.

    Args:
        settings: what is asked for.
        out: must be new, empty or an earlier output.
        work_folder: for what is between the stages; beside `out` if None. It stays if the run is killed or a source
            does not answer, and the same call then does what is missing.
        beam_flags: Beam's own.
        is_dry: whether to write nothing, and only tell.

    Raises:
        SourceError: If a source cannot be read, too many records are malformed, or a split would be empty.
    """
    require_replaceable(out, own=OWN_FILE)
    work = Work((work_folder or out.absolute().with_name(f".{out.absolute().name}.work")).absolute())
    with held(work.folder):
        try:
            plan = prepare_work(work, settings)
            run_pipeline(work, beam_flags, is_dry=is_dry)
        except SourceUnavailable:
            raise
        except SourceError:
            work.remove()
            raise
        report = dataset_report(work, is_dry=is_dry)
        origin = _origin(plan, settings, report)
        if not is_dry:
            _finish(work, out, report, origin)
        work.remove()
    return report, origin


def _finish(work: Work, out: Path, report: dict[str, Any], origin: Origin) -> None:
    made = work.folder / OUT
    paths = {split: [made / file["name"] for file in side["files"]] for split, side in report["splits"].items()}
    if problems := verify(paths, kind=report["kind"]):
        raise SourceError("The files must hold what was written. Received: " + "; ".join(problems))
    texts = {
        REPORT: json.dumps(report, indent=2, ensure_ascii=False) + "\n",
        PAGE: render_page(report, origin),
        MANIFEST: origin.render(),
        CROISSANT: croissant_text(out.absolute().name, report, origin),
    }
    for name, text in texts.items():
        (made / name).write_text(text, encoding="utf-8")
    with replaced_folder(out, own=OWN_FILE) as folder:
        for path in sorted(made.iterdir()):
            path.rename(folder / path.name)


def _origin(plan: dict[str, Any], settings: PrepareSettings, report: dict[str, Any]) -> Origin:
    """Returns the origin of all sources together: one licence if they share it, and what decides about the splits."""
    origins = [Origin(each["license"], tuple(each["datasets"]), tuple(each["sources"])) for each in _origins(plan)]
    licenses = {origin.license for origin in origins}
    shards = {file["name"]: file.get("sha256") for side in report["splits"].values() for file in side["files"]}
    return Origin(
        licenses.pop() if len(licenses) == 1 else "other" if None not in licenses else None,
        tuple(dict.fromkeys(name for origin in origins for name in origin.datasets)),
        tuple(dict.fromkeys(name for origin in origins for name in origin.sources)),
        {
            "licenses": {", ".join(origin.sources): origin.license for origin in origins},
            "eval_percent": settings.eval_percent,
            "seed": settings.seed,
            "sha256": shards,
        },
    )


def _origins(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [source["origin"] for source in plan["sources"]]
