"""Settings of a publication and of a download: frozen, validated groups that travel as JSON.

HubOptions ─┬─ HubSettings ─┬─ DownloadSettings
            └─ PublishOptions ─┴─ PublishSettings

The options are what a person chooses; the settings add what the program that calls knows.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from publishing.card.family import ANY_FAMILY, FamilyFacts
from publishing.errors import PlanError
from publishing.exports import DEFAULT_EXPORTS, Export, check_exports

LOCAL_ENDPOINT = "local"
# The embedded server takes any word; this one is no secret. A real token is never sent there.
LOCAL_TOKEN = "local"
FROZEN = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

# The namespace and the name as the Hub allows them.
RepoId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][\w.-]{0,94}/[A-Za-z0-9][\w.-]{0,94}$")]
EnvironmentName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$")]
Endpoint = Annotated[str, StringConstraints(pattern=r"^(local|https?://[^\s/@]+(/[^\s@]*)?)$")]
Port = Annotated[int, Field(ge=0, le=65535)]


class HubOptions(BaseModel):
    """Settings of the Hub to publish to."""

    model_config = FROZEN

    endpoint: Endpoint = LOCAL_ENDPOINT
    """`local` for the embedded Hub, or the address of a Hub such as https://huggingface.co, without
    credentials."""

    token_env: EnvironmentName = "HF_TOKEN"
    """Name of the environment variable that holds the access token; never the token itself."""


class HubSettings(HubOptions):
    """Settings of a Hub connection, and of the folder where the embedded Hub keeps its files."""

    storage_dir: str | None = None
    """Folder of the embedded Hub; needed with endpoint `local`."""

    local_port: Port | None = None
    """Port of the embedded Hub on 127.0.0.1; 0 for a free one, None for 8642 or a free one where that is taken."""

    @model_validator(mode="after")
    def _embedded_hub_has_folder(self) -> Self:
        if self.endpoint == LOCAL_ENDPOINT and self.storage_dir is None:
            raise ValueError('The embedded Hub needs a folder. Received: endpoint="local", storage_dir=None.')
        return self


class PublishOptions(HubOptions):
    """Settings of a publication: its contents, and how it is made."""

    private: bool = False
    """Whether repositories are created private: true or false."""

    keep_revisions: int = Field(default=0, ge=0)
    """Newest dated revisions that stay, 0 for all; the one that a Space runs always stays."""

    license: str | None = None
    """Licence of the published model, as the Hub's identifier; `none` for that of the training data, which the file
    dataset.json beside the rows names. Without both, the card claims none."""

    signing_key_env: EnvironmentName | None = None
    """Name of the environment variable with the path of a private key (PEM, elliptic curve) that signs each revision;
    `none` for unsigned. Needs the extra `signing`."""


class PublishSettings(PublishOptions, HubSettings):
    """One publication: the Hub, the model repository, and the Space if there is to be one.

    PublishSettings(repo_id="me/my-model", endpoint="https://huggingface.co")
    """

    repo_id: RepoId
    """Model repository, namespace/name; created if absent."""

    exports: tuple[str, ...] = DEFAULT_EXPORTS
    """Names of the exports to publish; the Space needs ctranslate2."""

    own_exports: tuple[Export, ...] = ()
    """Exports that this library does not know by name."""

    family: FamilyFacts = ANY_FAMILY
    """What the card says of the kind of network."""

    datasets: tuple[str, ...] = ()
    """The Hub's names of what the model was trained on, for the card; none for those that the data name."""

    space_repo_id: RepoId | None = None
    """Space repository, namespace/name; without it no Space is published."""

    space_template: str | None = None
    """Folder that the Space is rendered from; needed with `space_repo_id`."""

    space_sdk: Literal["gradio", "docker"] | None = None
    """What the Space runs on; None for what the template's README names."""

    space_private: bool | None = None
    """Whether a Space that has to be created is private; None for as the model."""

    space_hardware: str | None = None
    """The Hub's name of the hardware of a Space that has to be created, such as cpu-upgrade."""

    space_values: dict[str, str] = Field(default_factory=dict)
    """Further placeholders of the template, by name."""

    @model_validator(mode="after")
    def _exports_are_known(self) -> Self:
        try:
            check_exports(self.exports, own=self.own_exports)
        except PlanError as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _space_has_template(self) -> Self:
        if self.space_repo_id is not None and self.space_template is None:
            raise ValueError(f"A Space needs a template folder. Received: space_repo_id={self.space_repo_id!r} alone.")
        return self


class DownloadSettings(HubSettings):
    """One download from a model repository."""

    repo_id: RepoId
    """Model repository, namespace/name."""

    revision: str = "main"
    """Branch, tag or commit."""
