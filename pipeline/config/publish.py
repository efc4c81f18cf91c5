"""The configuration's group about where the model and its demo go."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import field_validator

from modules.exports import find_forms
from modules.models.family import ModelFamily
from modules.settings.types import Text, none_from_word
from pipeline.config.types import DatasetIds, Exports, OptionalPort
from publishing.exports import EXPORTS
from publishing.settings import PublishOptions, PublishSettings, RepoId


class PublishConfig(PublishOptions):
    """Settings of the repositories that the model and its demo go to."""

    enabled: bool = True
    """Publish a revision at the end of the run: true or false."""

    required: bool = False
    """Whether a local run that ends well but publishes nothing, because the model was not blessed, has exit status 3
    instead of 0: true or false."""

    local_port: OptionalPort = None
    """Port of the embedded Hub on 127.0.0.1, 1 to 65535; `none` for 8642, or a free one where something else listens
    there."""

    repo_id: RepoId = "local/gpt2-alpaca"
    """Model repository, namespace/name; the embedded Hub's namespace is `local`."""

    exports: Exports = ("transformers", "keras", "ctranslate2", "saved_model")
    """What to publish of transformers, keras, ctranslate2, saved_model, ctranslate2_float32, gguf, gguf_float16,
    gguf_float32, onnx and, of a model trained with LoRA, adapter; the Space needs ctranslate2."""

    datasets: DatasetIds = ()
    """The Hub's names of what the model was trained on, for the card, such as tatsu-lab/alpaca; `none` for those in the
    data's dataset.json."""

    space: bool = True
    """Publish a Space that answers instructions with the model: true or false; not for data.kind = text."""

    space_repo_id: RepoId = "local/gpt2-alpaca-demo"
    """Space repository, namespace/name."""

    space_template: Text = "space"
    """Folder with the template of the Space."""

    space_sdk: Literal["gradio", "docker"] = "gradio"
    """What the Space runs on: `gradio`, or `docker`, the same page in an image of one's own."""

    @field_validator("license", "signing_key_env", mode="before")
    @classmethod
    def _word_for_none(cls, value: Any) -> Any:
        return none_from_word(value)

    def settings(self, *, storage_dir: str, space_template: str, family: ModelFamily) -> PublishSettings:
        """Returns what HFPusher is told.

        Args:
            storage_dir: folder of the embedded Hub, where HFPusher will run.
            space_template: folder of the Space's template there.
            family: of the model.
        """
        forms = find_forms(self.exports)
        chosen = self.model_dump(include=set(PublishOptions.model_fields) | {"repo_id", "datasets", "local_port"})
        chosen |= {"exports": [form.name for form in forms]}
        chosen |= {"own_exports": [form.published for form in forms if form.name not in EXPORTS]}
        if self.space:
            chosen |= {"space_repo_id": self.space_repo_id, "space_sdk": self.space_sdk}
            chosen |= {"space_template": space_template}
        return PublishSettings(**chosen, storage_dir=storage_dir, family=family.published)
