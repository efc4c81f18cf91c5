import json
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from data.origin import MANIFEST, Origin, parse_origin
from data.rows import split_rows
from data.tfrecords import FIELDS, Row, read_examples, verify

ROWS = [Row(f"Question {index}", "noinput" if index % 7 == 0 else "", f"Answer {index}") for index in range(60)]


def test_the_tfds_builder_writes_the_same_rows_on_the_same_sides(tmp_path: Path):
    from data.alpaca.alpaca_dataset_builder import Builder, local_config

    source = tmp_path / "rows.json"
    source.write_text(json.dumps([row._asdict() for row in ROWS] + [Row("Blank", "", "")._asdict()]))
    config = local_config(source, eval_percent=20, license="cc-by-4.0", datasets=["me/rows"])
    builder = Builder(data_dir=tmp_path / "tfds", config=config)
    builder.download_and_prepare()

    expected = split_rows([row._replace(input="") for row in ROWS], 20)
    folder = Path(builder.data_dir)
    paths = {split: sorted(folder.glob(f"*-{split}*.tfrecord*")) for split in ("train", "eval")}
    assert verify(paths) == []
    assert parse_origin((folder / MANIFEST).read_bytes(), MANIFEST) == Origin("cc-by-4.0", ("me/rows",), ("rows.json",))
    for split, rows in expected.items():
        assert sorted(row for path in paths[split] for row in read_examples(path)) == sorted(rows)
        assert builder.info.splits[split].num_examples == len(rows)


def test_the_tfds_builder_is_called_alpaca_and_checks_its_downloads():
    from data.alpaca.alpaca_dataset_builder import Builder
    from data.alpaca.editions import checksums

    assert Builder.name == "alpaca"
    assert [(config.name, config.origin.license) for config in Builder.BUILDER_CONFIGS] == [
        ("original", "cc-by-nc-4.0"),
        ("cleaned", "cc-by-nc-4.0"),
    ]
    assert {url: (info.size, info.checksum) for url, info in Builder.url_infos.items()} == checksums()


def test_a_local_config_is_named_by_content_and_settings(tmp_path: Path):
    from data.alpaca.alpaca_dataset_builder import local_config

    path = tmp_path / "rows.json"
    path.write_text("[]")
    assert local_config(path).name == "local-4f53cda18c2b-eval5-blank"
    assert local_config(path, eval_percent=2.5, input_markers="keep").name == "local-4f53cda18c2b-eval2.5-keep"


def test_the_curated_schema_wants_exactly_the_three_texts_in_every_example():
    text = (Path(__file__).parents[2] / "pipeline" / "schema" / "alpaca.pbtxt").read_text()
    schema = text_format.Parse(text, schema_pb2.Schema())
    assert tuple(feature.name for feature in schema.feature) == FIELDS
    for feature in schema.feature:
        assert feature.type == schema_pb2.BYTES
        assert (feature.presence.min_fraction, feature.presence.min_count) == (1.0, 1)
        assert [dim.size for dim in feature.shape.dim] == [1]
