"""dataset.json: what it may say, and where it is looked for."""

from __future__ import annotations

import pytest

from data.errors import SourceError
from data.origin import Origin, described, manifest_paths, parse_origin

ALPACA = Origin("cc-by-nc-4.0", ("tatsu-lab/alpaca",), ("https://example.org/alpaca_data.json",))


@pytest.mark.parametrize("origin", [ALPACA, Origin(), Origin("cc0-1.0"), Origin(sources=("Größe.jsonl",))])
def test_what_was_written_is_read_back(origin: Origin) -> None:
    assert parse_origin(origin.render().encode(), "dataset.json") == origin


def test_what_is_not_known_may_be_left_out() -> None:
    assert parse_origin(b"{}", "dataset.json") == parse_origin(b'{"license": null}', "dataset.json") == Origin()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"the file must be JSON\. Received: Expecting property name .* line 1 column 2"),
        (b"\xff", r"the file must be JSON\. Received: "),
        (b"[]", r"described by an object with license, datasets, sources, preparation\. Received: list\."),
        (b'{"licence": "mit"}', r"described by an object with license, .* Received: licence\. Rename"),
        (b'{"license": ["mit"]}', r"license must be one text, or null\. Received: \['mit'\]\."),
        (b'{"license": "CC BY-NC 4.0"}', r"the Hub's identifier of it, .* Received: 'CC BY-NC 4\.0'\."),
        (b'{"datasets": "a/b"}', r"datasets must be a list of texts\. Received: 'a/b'\."),
        (b'{"datasets": ["a b"]}', r"must be named as on the Hub, .* Received: 'a b'\."),
        (b'{"sources": [1]}', r"sources must be a list of texts\. Received: \[1\]\."),
    ],
)
def test_what_it_cannot_say_is_refused_with_its_place(content: bytes, message: str) -> None:
    with pytest.raises(SourceError, match=rf"^/rows/dataset\.json: .*{message}"):
        parse_origin(content, "/rows/dataset.json")


@pytest.mark.parametrize(
    ("base", "file", "places"),
    [
        ("/rows", "/rows/a-train.tfrecord", ["/rows/dataset.json"]),
        ("/rows/", "/rows/span-2/a-train.tfrecord", ["/rows/span-2/dataset.json", "/rows/dataset.json"]),
        (
            "gs://bucket/rows",
            "gs://bucket/rows/2026/11/train",
            [
                "gs://bucket/rows/2026/11/dataset.json",
                "gs://bucket/rows/2026/dataset.json",
                "gs://bucket/rows/dataset.json",
            ],
        ),
    ],
)
def test_it_is_looked_for_beside_the_rows_and_above_as_far_as_their_folder(
    base: str, file: str, places: list[str]
) -> None:
    assert manifest_paths(base, file) == places


def test_the_screen_names_the_licence_or_says_that_none_is_known() -> None:
    assert list(described(ALPACA)) == ["licence: cc-by-nc-4.0", "data sets: tatsu-lab/alpaca"]
    assert list(described(Origin())) == [
        "licence: not known, so a model's card will claim none; name it with --license"
    ]


def test_what_a_preparation_says_is_kept() -> None:
    origin = Origin("mit", (), ("a.jsonl",), {"seed": 3, "sha256": {"a": "b"}})

    assert parse_origin(origin.render().encode(), "x") == origin
    with pytest.raises(SourceError, match=r"preparation must be an object\. Received: 3\."):
        parse_origin(b'{"preparation": 3}', "x")
