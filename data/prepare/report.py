"""The report of a preparation: report.json, and what the screen shows of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data.prepare.tally import Tally, added, percentiles
from data.prepare.work import Result, Work
from data.prepare.writing import shard_tasks

FORMAT = 1
REPORT = "report.json"


def dataset_report(work: Work, *, is_dry: bool) -> dict[str, Any]:
    """Returns the report as plain JSON data; no path, time or machine in it, so equal inputs give equal reports."""
    plan = work.plan()
    reads, fragments = work.results("read"), work.results("fragments")
    total = added([*reads, *fragments])
    read, kept = added(reads), added(fragments)
    files = shard_tasks(fragments) if is_dry else [each for each in work.results("shards") if "split" in each]
    rows_kept = sum(int(each["rows"]) for each in files)
    _require_all_rows(total, rows_kept)
    return {
        "format": FORMAT,
        "kind": plan["sources"][0]["kind"],
        "settings": work.settings.told(),
        "sources": [_source(index, source, reads, fragments) for index, source in enumerate(plan["sources"])],
        "records_read": total.counts["records"],
        "rows_read": total.counts["rows"],
        "rows_kept": rows_kept,
        "rows_dropped": dict(sorted(total.dropped.items())),
        "dropped_samples": dict(sorted(total.samples.items())),
        "rows_with_input": kept.counts["with input"],
        "input_markers": dict(total.markers.most_common()),
        "scrubbed": dict(sorted(read.scrubbed.items())),
        "languages": dict(sorted(kept.languages.items(), key=lambda pair: (-pair[1], pair[0]))),
        "tokens": percentiles(kept.tokens),
        "characters": percentiles(kept.characters),
        "splits": {split: _split(split, files) for split in ("train", "eval")},
        "dropped_file": None
        if is_dry
        else _shown(next(each for each in work.results("shards") if "split" not in each)),
    }


def _require_all_rows(total: Tally, kept: int) -> None:
    dropped = sum(total.dropped.values())
    if total.counts["rows"] != kept + dropped:
        raise AssertionError(f"{total.counts['rows']} rows were read, {kept} kept and {dropped} dropped")


def _source(
    index: int, source: Mapping[str, Any], reads: Sequence[Result], fragments: Sequence[Result]
) -> dict[str, Any]:
    own = [pair for pair in zip(reads, fragments, strict=True) if pair[0]["source"] == index]
    tally = added(each for pair in own for each in pair)
    return {
        **source["origin"],
        "schema": source["told"],
        "files": source["facts"],
        "rows_read": tally.counts["rows"],
        "rows_kept": sum(sum(fragment["sizes"].values()) for _, fragment in own),
        "rows_dropped": dict(sorted(tally.dropped.items())),
    }


def _split(split: str, files: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    own = [each for each in files if each["split"] == split]
    return {"rows": sum(each["rows"] for each in own), "files": [_shown(each) for each in own]}


def _shown(file: Mapping[str, Any]) -> dict[str, Any]:
    names = {"file": "name", "rows": "rows", "bytes": "bytes", "sha256": "sha256"}
    return {new: file[old] for old, new in names.items() if old in file}


def summary(report: Mapping[str, Any]) -> Iterator[str]:
    """Yields what the screen shows, line by line."""
    sides = ", ".join(f"{side['rows']:,} {split}" for split, side in report["splits"].items())
    yield f"{report['rows_read']:,} rows read, {report['rows_kept']:,} kept: {sides}"
    for source in report["sources"]:
        names = ", ".join(source["sources"]) or "rows"
        yield f"{names}: {source['schema']}; {source['rows_kept']:,} of {source['rows_read']:,} rows"
    drops = Counter(report["rows_dropped"]).most_common()
    yield f"dropped: {', '.join(f'{count:,} {reason}' for reason, count in drops) or 'none'}"
    for reason, _ in drops:
        for sample in report["dropped_samples"][reason][:1]:
            text = " ".join(sample["text"].split())[:100]
            detail = f" ({sample['detail']})" if sample["detail"] else ""
            yield f"  {reason}, such as {sample['location']}{detail}: {text}"
    if report["input_markers"]:
        yield f"inputs that only say there is none, made empty: {sum(report['input_markers'].values()):,}"
    if report["scrubbed"]:
        yield f"scrubbed: {', '.join(f'{count:,} {kind}' for kind, count in report['scrubbed'].items())}"
    languages = list(report["languages"].items())
    yield f"languages: {', '.join(f'{code} {count:,}' for code, count in languages[:6]) or 'none'}"
    unit = "tokens" if report["tokens"] else "characters"
    lengths = ", ".join(f"{name} {value:,}" for name, value in report[unit].items())
    yield f"{unit} of a row: {lengths or 'none'}"
