"""The configuration's group about where the model and its demo go."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from modules.settings.types import FROZEN, OptionalText, Text
from pipeline.config.types import (
    DatasetIds,
    Endpoint,
    EnvironmentName,
    Exports,
    OptionalEnvironmentName,
    OptionalPort,
    RepoId,
)


class PublishConfig(BaseModel):
    """Where the model and its demo go."""

    model_config = FROZEN

    enabled: bool = True
    """Publish a revision at the end of the run: true or false."""

    required: bool = False
    """Whether a local run that ends well but publishes nothing, because the model was not blessed, has exit status 3
    instead of 0: true or false."""

    endpoint: Endpoint = "local"
    """`local` for the embedded Hub, or the address of a Hub such as https://huggingface.co, without
    credentials."""

    local_port: OptionalPort = None
    """Port of the embedded Hub on 127.0.0.1, 1 to 65535; `none` for 8642, or a free one where something else listens
    there."""

    repo_id: RepoId = "local/gpt2-alpaca"
    """Model repository, namespace/name; the embedded Hub's namespace is `local`."""

    space: bool = True
    """Publish a Space that answers instructions with the model: true or false; not for data.kind = text."""

    space_repo_id: RepoId = "local/gpt2-alpaca-demo"
    """Space repository, namespace/name."""

    space_template: Text = "space"
    """Folder with the template of the Space."""

    space_sdk: Literal["gradio", "docker"] = "gradio"
    """What the Space runs on: `gradio`, or `docker`, the same page in an image of one's own."""

    private: bool = False
    """Whether repositories are created private: true or false."""

    exports: Exports = ("transformers", "keras", "ctranslate2", "saved_model")
    """What to publish of transformers, keras, ctranslate2, saved_model, ctranslate2_float32 and, of a model trained
    with LoRA, adapter; the Space needs ctranslate2."""

    keep_revisions: int = Field(default=0, ge=0)
    """Newest dated revisions that stay, 0 for all; the one that a Space runs always stays."""

    token_env: EnvironmentName = "HF_TOKEN"
    """Name of the environment variable that holds the access token; never the token itself."""

    license: OptionalText = None
    """Licence of the published model, as the Hub's identifier; `none` for that of the training data, which the file
    dataset.json beside the rows names. Without both, the card claims none."""

    datasets: DatasetIds = ()
    """The Hub's names of what the model was trained on, for the card, such as tatsu-lab/alpaca; `none` for those in the
    data's dataset.json."""

    signing_key_env: OptionalEnvironmentName = None
    """Name of the environment variable with the path of a private key (PEM, elliptic curve) that signs each revision;
    `none` for unsigned. Needs the extra `signing`."""
