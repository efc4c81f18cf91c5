import gzip
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.records import Example, write_record
from data.tfrecords import RENAME, Row, TFRecordError, decode, encode, read_examples, verify, write_examples

ROWS = [
    Row("Add 1 and 2.", "", "3"),
    Row("Translate.", "Grüße 👋", "greetings"),
    Row("Count.", " ", "one\ntwo"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_examples(tmp_path / "x-train.tfrecord", ROWS)
    return tmp_path / "x-train.tfrecord"


def write_payloads(path: Path, *payloads: bytes) -> Path:
    with path.open("wb") as file:
        for payload in payloads:
            write_record(file, payload)
    return path


def example(**values: object) -> bytes:
    """A serialized Example with one feature of each value's type."""
    message = Example()
    for name, value in values.items():
        feature = message.features.feature[name]
        if isinstance(value, bytes):
            feature.bytes_list.value.append(value)
        elif isinstance(value, int):
            feature.int64_list.value.append(value)
        elif isinstance(value, list):
            feature.bytes_list.value.extend(value)
    return message.SerializeToString(deterministic=True)


def row_places(message: str) -> str:
    return message.split(", row ")[1]


def test_rows_come_back_as_they_were_written(path: Path):
    assert list(read_examples(path)) == ROWS
    assert verify({"train": [path]}) == []


@given(st.builds(Row, *[st.text(st.characters(codec="utf-8"))] * 3))
def test_any_row_survives_encoding(row: Row):
    assert decode(encode(row)) == row


def test_a_gzip_file_reads_like_a_plain_one(path: Path, tmp_path: Path):
    zipped = tmp_path / "x-train.tfrecord.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert list(read_examples(zipped)) == ROWS


def test_writing_counts_the_rows_and_leaves_no_other_file(tmp_path: Path):
    assert write_examples(tmp_path / "deep" / "x.tfrecord", iter(ROWS)) == 3
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["x.tfrecord"]


def test_a_write_that_fails_leaves_the_old_file_and_no_partial_one(path: Path):
    before = path.read_bytes()

    def rows():
        yield ROWS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_examples(path, rows())
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_tensorflow_reads_the_same_rows_and_its_own_files_are_read(path: Path, tmp_path: Path):
    import tensorflow as tf

    spec = {name: tf.io.FixedLenFeature([], tf.string) for name in Row._fields}
    dataset = tf.data.TFRecordDataset(str(path)).map(lambda record: tf.io.parse_single_example(record, spec))
    read = [Row(*(parsed[name].decode() for name in Row._fields)) for parsed in dataset.as_numpy_iterator()]
    assert read == ROWS

    theirs = tmp_path / "theirs.tfrecord"
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for row in ROWS:
            features = {
                name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[text.encode()]))
                for name, text in row._asdict().items()
            }
            writer.write(
                tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)
            )
    assert list(read_examples(theirs)) == ROWS


def test_importing_the_module_imports_no_tensorflow():
    code = "import sys, data.tfrecords, data.sample.generate; sys.exit('tensorflow' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_a_payload_with_a_wrong_checksum_is_named_and_the_rest_is_still_checked(path: Path):
    content = bytearray(path.read_bytes())
    content[20] ^= 0xFF  # inside the first payload, which starts at byte 12
    path.write_bytes(content)
    assert verify({"train": [path]}) == [f"{path}, row 0: a record must be intact: the payload's checksum is wrong"]


@pytest.mark.parametrize(
    ("cut", "reason"),
    [
        (1, "the file is cut: 71 of 72 record bytes"),
        (80, "the file is cut: 4 of 12 header bytes"),
    ],
)
def test_a_cut_file_is_reported_with_the_record_that_is_cut(path: Path, cut: int, reason: str):
    path.write_bytes(path.read_bytes()[:-cut])
    assert verify({"train": [path]}) == [f"{path}, row 2: a record must be intact: {reason}"]


def test_a_damaged_file_does_not_hide_the_problems_of_the_next(path: Path, tmp_path: Path):
    path.write_bytes(path.read_bytes()[:-1])
    other = tmp_path / "x-eval.tfrecord"
    write_examples(other, [Row("Say it.", "", " \n")])
    problems = verify({"train": [path], "eval": [other]})
    assert [problem.split(": ", 1)[0] for problem in problems] == [f"{path}, row 2", f"{other}, row 0"]
    assert problems[1] == f"{other}, row 0: field 'output' must not be blank"


def test_a_cut_gzip_file_is_reported(path: Path, tmp_path: Path):
    zipped = tmp_path / "x.tfrecord.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes())[:-12])
    (problem,) = verify({"train": [zipped]})[:1]
    assert problem.startswith(f"{zipped}, row ")
    assert "a record must be intact: the gzip stream is damaged" in problem


def test_a_file_of_another_kind_is_reported(tmp_path: Path):
    text = tmp_path / "rows.tfrecord"
    text.write_text('{"instruction": "Add."}\n')
    assert verify({"train": [text]}) == [
        f"{text}, row 0: a record must be intact: the length's checksum is wrong: not a TFRecord file, or garbled",
        "split 'train': a split must have rows: none in 1 file(s)",
    ]


@pytest.mark.parametrize("values", [{"input": b""}, {}, {"input": None}, {"input": []}])
def test_a_record_without_a_value_of_input_is_a_row_with_an_empty_one(tmp_path: Path, values: dict[str, object]):
    path = write_payloads(tmp_path / "x.tfrecord", example(instruction=b"a", **values, output=b"c"))
    assert verify({"train": [path]}) == []
    assert list(read_examples(path)) == [Row("a", "", "c")]


@pytest.mark.parametrize(
    ("payload", "problems"),
    [
        (b"\xff\xff", ["a record must be a tf.train.Example: 2 bytes of something else"]),
        (
            example(instruction=b"a", input=b"", response=b"c"),
            [f"field 'output' is missing: has input, instruction, response. {RENAME}"],
        ),
        (example(instruction=b"a", input=b"", output=3), ["field 'output' must be bytes: is int64_list"]),
        (example(instruction=b"a", input=b"b", output=None), ["field 'output' must be bytes: is empty"]),
        (
            example(instruction=b"a", input=[b"x", b"y"], output=b"c"),
            ["field 'input' must hold one value: holds 2"],
        ),
        (
            example(instruction=b"caf\xe9", input=b"", output=b"c"),
            ["field 'instruction' must be UTF-8: byte 0xe9 at 3"],
        ),
        (
            example(instruction=b" ", input=b"", output=b""),
            ["field 'instruction' must not be blank", "field 'output' must not be blank"],
        ),
        (
            b"",
            [f"field 'instruction', field 'output' are missing: has no fields. {RENAME}"],
        ),
    ],
)
def test_each_kind_of_bad_row_is_named_with_file_row_and_field(tmp_path: Path, payload: bytes, problems: list[str]):
    path = write_payloads(tmp_path / "x.tfrecord", encode(ROWS[0]), payload, encode(ROWS[1]))
    assert verify({"train": [path]}) == [f"{path}, row 1: {problem}" for problem in problems]


def test_many_problems_of_one_kind_are_counted(tmp_path: Path):
    path = tmp_path / "x.tfrecord"
    write_examples(path, [Row("Say it.", "", "")] * 9)
    problems = verify({"train": [path]}, shown_per_rule=2)
    assert [row_places(problem) for problem in problems[:2]] == [
        "0: field 'output' must not be blank",
        "1: field 'output' must not be blank",
    ]
    assert problems[2:] == ["and 7 more: field 'output' must not be blank"]


def test_rows_that_lack_the_same_fields_are_one_problem_with_a_way_out(tmp_path: Path):
    for split in ("train", "eval"):
        write_payloads(tmp_path / split, *[example(question=b"Who?", answer=b"I.")] * 700)

    assert verify({split: [tmp_path / split] for split in ("train", "eval")}) == [
        f"{tmp_path}/train, row 0 and 1,399 more: field 'instruction', field 'output' are missing: "
        f"has answer, question. {RENAME}"
    ]


def test_missing_files_and_empty_splits_are_reported_together(path: Path, tmp_path: Path):
    empty = write_payloads(tmp_path / "empty.tfrecord")
    absent = tmp_path / "absent.tfrecord"
    assert verify({"train": [], "eval": [empty], "test": [absent], "good": [path]}) == [
        "split 'train': a split must have files: none",
        "split 'eval': a split must have rows: none in 1 file(s)",
        f"{absent}: a file must be readable: No such file or directory",
        "split 'test': a split must have rows: none in 1 file(s)",
    ]


def test_reading_stops_at_the_first_bad_row_with_its_place(tmp_path: Path):
    path = write_payloads(tmp_path / "x.tfrecord", encode(ROWS[0]), example(instruction=b"a", input=b""))
    with pytest.raises(TFRecordError, match=r"x\.tfrecord, row 1: field 'output' is missing: has input, instr"):
        list(read_examples(path))


def test_blank_texts_can_be_allowed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "rows-train.tfrecord"
    write_examples(path, [Row("Say nothing.", "", " "), Row("", "", "x")])

    assert len(verify({"train": [path]})) == 2
    assert verify({"train": [path]}, blank_allowed=True) == []
    assert verify({"train": [path]}, blank_allowed=True, kind="text") == [
        f"{path}, row 0: field 'instruction' of a document must be empty: 'Say nothing.'"
    ]
