"""Personal data and secrets in rows: found by DataFog and detect-secrets, replaced by their kind, never shown."""

from __future__ import annotations

import logging
import os
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from data.extra import require
from data.tfrecords import Row

# What its patterns find with few mistakes. Dates and numbers of five digits are seldom personal in such texts.
PERSONAL = ("EMAIL", "PHONE", "SSN", "CREDIT_CARD", "IP_ADDRESS", "DE_IBAN")
# Those with a shape of their own. Plain entropy, and any word behind "password:", would take code for a secret.
SECRETS = (
    "ArtifactoryDetector",
    "AWSKeyDetector",
    "AzureStorageKeyDetector",
    "BasicAuthDetector",
    "DiscordBotTokenDetector",
    "GitHubTokenDetector",
    "GitLabTokenDetector",
    "JwtTokenDetector",
    "MailchimpDetector",
    "NpmDetector",
    "OpenAIDetector",
    "PrivateKeyDetector",
    "PypiTokenDetector",
    "SendGridDetector",
    "SlackDetector",
    "SquareOAuthDetector",
    "StripeDetector",
    "TelegramBotTokenDetector",
    "TwilioKeyDetector",
)
_PRIVATE_KEY = "PrivateKeyDetector"
_SECRET_IN_GROUP = ("BasicAuthDetector",)  # whose whole match is the address around it
_MIN_SECRET = 16  # characters: no line that is shorter holds one


class _Span(NamedTuple):
    start: int
    end: int
    kind: str


def scrub(row: Row, counts: Counter[str]) -> Row:
    """Returns `row` with `[EMAIL]` and the like in the place of personal data and secrets; `counts` learns how many."""
    return Row(*(scrubbed(text, counts) for text in row))


def scrubbed(text: str, counts: Counter[str]) -> str:
    """Returns `text` with the kind of each finding in its place."""
    spans = sorted(set(_personal(text)) | set(_secrets(text)), key=lambda span: (span.start, -span.end))
    parts, at = [], 0
    for span in spans:
        if span.start >= at:
            parts += [text[at : span.start], f"[{span.kind}]"]
            counts[span.kind] += 1
        at = max(at, span.end)
    return "".join([*parts, text[at:]]) if parts else text


def _personal(text: str) -> Iterator[_Span]:
    # No known pattern is without an @, a digit or a colon.
    if not any(character == "@" or character == ":" or character.isdigit() for character in text):
        return
    found = _scanner()(text, engine="regex", entity_types=list(PERSONAL))
    yield from (_Span(entity.start, entity.end, entity.type) for entity in found.entities)


def _secrets(text: str) -> Iterator[_Span]:
    at = 0
    for line in text.splitlines(keepends=True):
        if len(line) >= _MIN_SECRET:
            for name, pattern in _patterns():
                for match in pattern.finditer(line):
                    group = 1 if name in _SECRET_IN_GROUP else 0
                    start, end = at + match.start(group), at + match.end(group)
                    is_key = name == _PRIVATE_KEY
                    start -= is_key and len(line[: match.start()]) - len(line[: match.start()].rstrip("-"))
                    yield _Span(start, _end_of_key(text, end) if is_key else end, "PRIVATE_KEY" if is_key else "SECRET")
        at += len(line)


def _end_of_key(text: str, start: int) -> int:
    """Returns where a private key ends: behind the line that says so, or with the text."""
    end = text.find("-----END", start)
    closing = text.find("-----", end + len("-----END")) if end >= 0 else -1
    return closing + len("-----") if closing >= 0 else len(text)


@lru_cache(maxsize=1)
def _scanner() -> Any:
    os.environ.setdefault("DATAFOG_NO_TELEMETRY", "1")
    return require("datafog.engine", "scrub personal data").scan


@lru_cache(maxsize=1)
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Returns the regular expressions of detect-secrets, each with the name of its detector."""
    settings = require("detect_secrets.settings", "scrub secrets")
    initialize = require("detect_secrets.core.plugins.initialize", "scrub secrets")
    logging.captureWarnings(False)  # its import has all warnings logged, which is not for a library to decide
    with settings.transient_settings({"plugins_used": [{"name": name} for name in SECRETS]}):
        plugins = [(name, initialize.from_plugin_classname(name)) for name in SECRETS]
    return tuple((name, pattern) for name, plugin in plugins for pattern in plugin.denylist)
