"""Cleaning: how texts are written, which rows go and why, languages, lengths, personal data, evaluation prompts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from data.cleaning import contamination
from data.cleaning.languages import UNKNOWN, language_of
from data.cleaning.privacy import scrub
from data.cleaning.rules import CAN_BE_KEPT, first_finding
from data.cleaning.texts import is_input_marker, tidied, tidy, without_input_marker
from data.cleaning.tokens import count_tokens
from data.errors import SourceError
from data.extra import require
from data.tfrecords import Row


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" plain \n", "plain"),
        ("e\u0301", "\u00e9"),
        ("a\u00a0b\u3000c\u200b\ufeff", "a b c"),
        ("a\r\nb\rc\u2028d", "a\nb\nc\nd"),
        ("a  \t\nb", "a\nb"),
        ("a\n\n\n\n\n\nb", "a\n\n\nb"),
        ("\x00a\x1b[0m\tb", "a[0m\tb"),
        ("👩\u200d🚀 ½", "👩\u200d🚀 ½"),  # a joiner joins, and compatibility forms stay
    ],
)
def test_texts_are_written_in_one_way(text: str, expected: str) -> None:
    assert tidied(text) == expected
    assert tidied(expected) == expected


def test_a_document_keeps_its_inner_white_space() -> None:
    assert tidy(Row("", "", " a  \r\n\n\n\n\nb "), "text") == Row("", "", "a  \n\n\n\n\nb")


@pytest.mark.parametrize("text", ["noinput", "<no input>", "No Input.", "No input required.", "(no input needed)"])
def test_an_input_that_only_says_there_is_none_becomes_empty(text: str) -> None:
    assert is_input_marker(text)
    assert without_input_marker(Row("a", text, "b")) == Row("a", "", "b")


@pytest.mark.parametrize("text", ["", "no", "No input was given to the function.", "input"])
def test_other_inputs_stay(text: str) -> None:
    assert without_input_marker(Row("a", text, "b")) == Row("a", text, "b")


def test_a_marker_in_front_of_a_response_goes() -> None:
    assert without_input_marker(Row("a", "", "<noinput>\n\nText")) == Row("a", "", "Text")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Row(" ", "", "b"), "blank instruction"),
        (Row("a", "", "\n"), "blank output"),
        (Row("Draw a cat.", "", "I'm sorry, but I cannot draw."), "refused response"),
        (Row("Draw a cat.", "", "<nooutput>"), "refused response"),
        (Row("Who are you?", "", "As an AI language model, I do not have a name."), "refused response"),
        (Row("Say it.", "", "Unfortunately, I am unable to answer this."), "refused response"),
        (Row("Name a bird.", "", "<br/><br/>A gull<br/><p>&nbsp;</p>"), "markup"),
        (Row("Summarize.", "https://example.org/a/b", "It is about b."), "input is a URL"),
        (Row("Draw a logo.", "", "![a](https://i.example.org/feA1JWSfeA1JWS.png)"), "response is URLs"),
        (Row("Name it.", "", "name  IT."), "instruction repeated in the response"),
        (
            Row("Write a poem about the sea.", "", "Write a poem about the sea. The sea is wide."),
            "instruction repeated in the response",
        ),
    ],
)
def test_a_row_that_teaches_nothing_goes_with_its_reason(row: Row, reason: str) -> None:
    finding = first_finding(row, "instructions", frozenset())
    assert finding is not None
    assert finding.reason == reason
    if not reason.startswith("blank"):
        assert first_finding(row, "instructions", frozenset(CAN_BE_KEPT)) is None


@pytest.mark.parametrize(
    "row",
    [
        Row("Write an HTML page.", "", "<html><body><p>Hi</p></body></html>"),
        Row("Compare a and b.", "", "a < b, and b > a & c"),
        Row("How do I say sorry?", "", "I'm sorry that I was late is polite."),
        Row("Write an apology.", "", "I am sorry for the delay; your parcel arrives tomorrow."),
        Row("Give the link of the site.", "", "https://example.org/feA1JWSfeA1JWS"),
        Row("Name a color", "", "Name a color: red."),
    ],
)
def test_a_row_that_only_looks_so_stays(row: Row) -> None:
    assert first_finding(row, "instructions", frozenset()) is None


def test_a_blank_document_goes() -> None:
    finding = first_finding(Row("", "", " "), "text", frozenset())
    assert finding is not None
    assert finding.reason == "blank document"
    assert first_finding(Row("", "", "<br>"), "text", frozenset()) is None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("What is the capital of Poland? The capital is Warsaw.", "en"),
        ("Wie heißt die Hauptstadt von Polen? Sie heißt Warschau.", "de"),
        ("Quelle est la capitale de la France ? C'est Paris.", "fr"),
        ("Какой город является столицей Польши? Варшава.", "ru"),
        ("12 + 4 = 16", UNKNOWN),
        ("Oui", UNKNOWN),
    ],
)
def test_the_language_of_a_row_is_told_where_it_can_be(text: str, code: str) -> None:
    assert language_of(text).code == code


def test_tokens_are_counted_with_the_tokenizer_of_the_model(tmp_path: Path) -> None:
    vocabulary = {character: index for index, character in enumerate("abĠcde")} | {"ab": 6}
    Tokenizer(models.BPE(vocabulary, [("a", "b")])).model.save(str(tmp_path))

    assert count_tokens([Row("ab", "", "a b"), Row("", "c", "abab")], str(tmp_path)) == [4, 3]
    with pytest.raises(SourceError, match=r"--tokenizer must be a folder with tokenizer\.json, or vocab\.json and"):
        count_tokens([Row("a", "", "b")], str(tmp_path / "absent"))


def test_personal_data_and_secrets_become_their_kind_and_are_counted() -> None:
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\nzz==\n-----END RSA PRIVATE KEY-----"
    row = Row(
        "Write to john.doe@example.com, or call +1 (415) 555-2671.",
        "Card 4111 1111 1111 1111, SSN 123-45-6789, host 10.1.2.3.",
        f"AKIAIOSFODNN7EXAMPLE and ghp_abcdefghijklmnopqrstuvwxyz0123456789 at https://me:pass1234@host/x\n{key}\nend",
    )
    counts = Counter[str]()

    assert scrub(row, counts) == Row(
        "Write to [EMAIL], or call [PHONE].",
        "Card [CREDIT_CARD], SSN [SSN], host [IP_ADDRESS].",
        "[SECRET] and [SECRET] at https://me:[SECRET]@host/x\n[PRIVATE_KEY]\nend",
    )
    assert counts == {
        "EMAIL": 1, "PHONE": 1, "CREDIT_CARD": 1, "SSN": 1, "IP_ADDRESS": 1, "SECRET": 3, "PRIVATE_KEY": 1,
    }  # fmt: skip


def test_a_text_without_any_stays_as_it_is() -> None:
    counts = Counter[str]()
    row = Row("Add 12345 and 1999.", "def f(x): return x['password']", "On 2020-01-02, 94105 people came: 3.14 %.")

    assert scrub(row, counts) == row
    assert counts == {}


def test_a_row_that_holds_an_evaluation_prompt_goes_and_the_overlap_is_shown() -> None:
    prompts = contamination.prepared(["Who wrote the famous novel about a white whale?", "Name four birds now"], 6)

    found = contamination.overlap(Row("Tell me: WHO wrote the famous novel about whales?", "", "x"), prompts)
    assert found == (
        "overlaps an evaluation prompt",
        "“who wrote the famous novel about” of “Who wrote the famous novel about a white whale?”",
    )
    assert contamination.overlap(Row("x", "", "please name four birds, now"), prompts) is not None
    assert contamination.overlap(Row("Who wrote the famous book about it?", "", "Name four birds"), prompts) is None


def test_an_absent_package_of_the_extra_is_told_with_the_way_out() -> None:
    message = (
        r"To count, the extra 'prepare' must be installed\. Received: No module named 'no_such'\. Run `make setup`"
    )
    with pytest.raises(SourceError, match=message):
        require("no_such", "count")
