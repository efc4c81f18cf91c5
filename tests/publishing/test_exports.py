"""An exported form that the project does not know passes through settings, plan and card."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydantic import ValidationError

from modules.exports import FORMS
from publishing.card.model_card import write_card
from publishing.exports import EXPORTS, Export, plan_files
from publishing.publication import publication_of
from publishing.settings import PublishSettings

SNIPPET = """ONNX Runtime:

```python
snapshot_download("<<repo_id>>", revision="<<revision>>", allow_patterns="openvino/*")  # <<instruction>>
```
"""
OPENVINO = Export(
    name="openvino",
    model_folder="exports/openvino",
    revision_folder="openvino",
    library_name="openvinoruntime",
    snippet=SNIPPET,
)


def test_a_form_of_the_callers_own_is_planned_and_told_on_the_card(model_folder: Path, tmp_path: Path) -> None:
    model = shutil.copytree(model_folder, tmp_path / "model")
    (model / "exports/openvino").mkdir()
    (model / "exports/openvino/model.openvino").write_bytes(b"openvino")
    settings = PublishSettings(
        repo_id="me/tiny", endpoint="https://hub", exports=("openvino",), own_exports=(OPENVINO,)
    )
    again = PublishSettings.model_validate_json(settings.model_dump_json())

    publication = publication_of(model, again)
    card = write_card(publication.facts, repo_id="me/tiny", revision="v1")

    assert "openvino/model.openvino" in {file.path for file in publication.files}
    assert "library_name: openvinoruntime\n" in card
    assert (
        'snapshot_download("me/tiny", revision="v1", allow_patterns="openvino/*")  # Name the capital of France.'
        in card
    )


def test_a_form_that_nobody_describes_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValidationError, match=r"some of transformers, .*gguf_float32\. Received: openvino\."):
        PublishSettings(repo_id="me/tiny", endpoint="https://hub", exports=("openvino",))


def test_the_trainers_forms_are_what_the_library_knows() -> None:
    assert {name: form.published for name, form in FORMS.items()} == EXPORTS


def test_the_tokenizer_is_planned_where_transformers_is_not(model_folder: Path) -> None:
    paths = {file.path for file in plan_files(model_folder, ["ctranslate2"])}

    assert "tokenizer.json" in paths
    assert "vocab.json" not in paths
