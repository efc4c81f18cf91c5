"""Rules over one row: each gives the reason for which it cannot be learned from. Pure functions.

RULES is the registry; `--keep RULE` leaves one out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from data.splits import normalised
from data.tfrecords import MUST_NOT_BE_BLANK, Kind, Row


class Finding(NamedTuple):
    """A reason for which a row goes, and what was found in it."""

    reason: str
    detail: str = ""


Rule = Callable[[Row], Finding | None]

_REFUSAL = re.compile(
    r"""\W*(?:
      <?no\s?output>? \W* $
    | (?:(?:i['’]?m|i\sam)\s(?:very\s|really\s|so\s)?)? sorry\b,?\s (?:but\s)? (?:as\san\s.{0,40}?)? \bi\b .{0,15}?
      \b(?:can\s?not|can['’]t|unable|not\sable|don['’]t|do\snot)\b
    | (?:unfortunately,?\s)?i\s(?:can\s?not|can['’]t|am\snot\sable\sto|am\sunable\sto|won['’]t)\s
      (?:\w+\s)?(?:answer|assist|help|comply|provide|fulfil|complete|generate|create|write|browse|access|open|view|see)
    | as\san?\s(?:ai|artificial\sintelligence|large\slanguage|language)\b (?:\s(?:language\s)?(?:model|assistant))? ,?\s
      (?:\w+\s)?i\s(?:can\s?not|can['’]t|do\snot|don['’]t|am\snot|am\sunable)
    )""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][a-z0-9]*(?:\s[^<>]{0,200})?/?>|&(?:nbsp|amp|lt|gt|quot|#\d{2,5});", re.IGNORECASE)
_CODE = re.compile(
    r"```|\b(?:html|xml|svg|css|markup|tags?|web ?(?:page|site)s?|code|program|script|form|button|table)\b",
    re.IGNORECASE,
)
_JUNK_SHARE = 0.3  # of a response's characters in tags, or in URLs, above which it is no text
_ECHO_WORDS = 5  # of an instruction: a shorter one may well begin its answer


def blank(row: Row) -> Finding | None:
    """Returns a finding if there is nothing to ask or to answer."""
    fields = [field for field in MUST_NOT_BE_BLANK if not getattr(row, field).strip()]
    return Finding(f"blank {fields[0]}") if fields else None


def refused(row: Row) -> Finding | None:
    """Returns a finding if the response only says that there will be none."""
    found = _REFUSAL.match(row.output)
    return Finding("refused response", row.output[:80]) if found else None


def markup(row: Row) -> Finding | None:
    """Returns a finding if the response is mostly tags, and no markup was asked for."""
    tags = _TAG.findall(row.output) if "<" in row.output or "&" in row.output else []
    share = sum(map(len, tags)) / max(len(row.output), 1)
    if share <= _JUNK_SHARE or _CODE.search(f"{row.instruction} {row.input}"):
        return None
    return Finding("markup", f"{share:.0%} of the response are tags, such as {tags[0][:40]}")


def urls(row: Row) -> Finding | None:
    """Returns a finding if the input is a URL alone, which nobody can read here, or the response mostly URLs."""
    if row.input and _URL.fullmatch(row.input.strip()):
        return Finding("input is a URL", row.input.strip()[:80])
    found = _URL.findall(row.output) if "http" in row.output or "www." in row.output else []
    share = sum(map(len, found)) / max(len(row.output), 1)
    asked_for = re.search(r"\b(?:url|link|website|web ?page|http)", row.instruction, re.IGNORECASE)
    return Finding("response is URLs", f"{share:.0%} of it") if share > 2 * _JUNK_SHARE and not asked_for else None


def repeated_instruction(row: Row) -> Finding | None:
    """Returns a finding if the response begins with the instruction, or is nothing else."""
    asked, answered = normalised(row.instruction), normalised(row.output)
    if asked == answered:
        return Finding("instruction repeated in the response", "the response is the instruction")
    if len(asked.split()) >= _ECHO_WORDS and answered.startswith(asked):
        return Finding("instruction repeated in the response", row.instruction[:80])
    return None


def blank_document(row: Row) -> Finding | None:
    """Returns a finding if a document holds no text."""
    return None if row.output.strip() else Finding("blank document")


RULES: Mapping[Kind, Mapping[str, Rule]] = {
    "instructions": {
        "blank": blank,
        "refusal": refused,
        "markup": markup,
        "urls": urls,
        "repetition": repeated_instruction,
    },
    "text": {"blank": blank_document},
}
# A row without a text is no row: this one cannot be left out.
CAN_BE_KEPT = tuple(name for name in RULES["instructions"] if name != "blank")


def first_finding(row: Row, kind: Kind, kept: frozenset[str]) -> Finding | None:
    """Returns the first reason for which `row` goes; None if it stays.

    Args:
        row: a row, its texts tidied.
        kind: of the row.
        kept: rules that are not asked.
    """
    for name, rule in RULES[kind].items():
        if name not in kept and (finding := rule(row)):
            return finding
    return None
