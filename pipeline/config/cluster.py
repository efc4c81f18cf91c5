"""The configuration's groups that say where the work is done: Beam runners and Kubeflow."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from modules.settings.types import FROZEN, OptionalText, Text, Words
from pipeline.config.types import Arguments, Labels, Memory, ObjectStore, Processors
from publishing.settings import EnvironmentName


class BeamConfig(BaseModel):
    """Settings of Beam, which processes the rows in ImportExampleGen, StatisticsGen and Transform."""

    model_config = FROZEN

    runner: Literal["direct", "portable", "flink", "spark", "dataflow"] = "direct"
    """Beam runner: `direct` is this process; the others also need their arguments (--beam.arguments)."""

    arguments: Arguments = ()
    """Further Beam pipeline options, such as `--flink_master=host:8081 --environment_type=EXTERNAL`; a later one
    overrides an earlier one."""


class KubeflowConfig(BaseModel):
    """Settings of Kubeflow Pipelines 2; kubeflow_runner.py alone reads these."""

    model_config = FROZEN

    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^\s@]+$")] = "http://localhost:8888"
    """Address of the Kubeflow Pipelines API, without credentials."""

    api_token_env: EnvironmentName = "KUBEFLOW_TOKEN"
    """Name of the environment variable that holds the API's bearer token, if it wants one; never the token
    itself."""

    api_cookies_env: EnvironmentName = "KUBEFLOW_COOKIES"
    """Name of the environment variable that holds the cookies of a session, where a login page guards the API;
    never the cookies themselves."""

    api_token_file: OptionalText = None
    """File of a projected service account token, to be let in from inside the cluster; `none` for the variable."""

    ca_file: OptionalText = None
    """Certificate authorities to trust when talking to the API; `none` for this machine's."""

    api_timeout_seconds: float = Field(default=30, gt=0, le=3600)
    """Longest wait for each of the API's answers, in seconds, above 0 to 3600."""

    namespace: OptionalText = None
    """Kubernetes namespace of the runs in a multi-user installation; `none` in a single-user one."""

    image: Text = "gpt2-alpaca-pipeline:latest"
    """Container image of every component, as a cluster can pull it; best with its digest (name@sha256:…)."""

    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    """When a node pulls the image."""

    image_pull_secret: OptionalText = None
    """Kubernetes secret with the registry's credentials; `none` if it needs none."""

    project_folder: Annotated[str, StringConstraints(pattern=r"^/\S*$")] = "/app"
    """Folder of this project in the image, where relative paths of the configuration start."""

    pipeline_root: ObjectStore = "minio://mlpipeline/v2/artifacts"
    """Where artifacts go: gs://bucket/folder, s3://bucket/folder or minio://bucket/folder. Kubeflow's launcher
    copies them; its credentials are the cluster's."""

    artifact_types: Literal["system", "tfx"] = "system"
    """How artifacts are typed in the compiled pipeline: `system`, which every Kubeflow knows, or `tfx` (Vertex
    AI)."""

    data_claim: OptionalText = None
    """Kubernetes volume claim that ImportExampleGen sees at data_mount; `none` for data in the image or on
    gs://."""

    data_mount: Annotated[str, StringConstraints(pattern=r"^/\S+$")] = "/data"
    """Folder at which data_claim is mounted."""

    cpu_request: Processors = "1"
    """Processors reserved for each component but Trainer; 500m is half a one."""

    cpu_limit: Processors = "4"
    """Processors that each component but Trainer may use."""

    memory_request: Memory = "4Gi"
    """Memory reserved for each component but Trainer."""

    memory_limit: Memory = "8Gi"
    """Memory above which a component other than Trainer is stopped."""

    trainer_cpu_request: Processors = "4"
    """Processors reserved for Trainer, and for Tuner."""

    trainer_cpu_limit: Processors = "8"
    """Processors that Trainer, or Tuner, may use."""

    trainer_memory_request: Memory = "16Gi"
    """Memory reserved for Trainer, and for Tuner."""

    trainer_memory_limit: Memory = "32Gi"
    """Memory above which Trainer, or Tuner, is stopped."""

    gpus: int = Field(default=0, ge=0, le=16)
    """Accelerators for Trainer, and for Tuner, 0 to 16."""

    gpu_resource: Text = "nvidia.com/gpu"
    """Kubernetes resource that counts the accelerators."""

    node_selector: Labels = ()
    """Labels that Trainer's node must have, such as `cloud.google.com/gke-accelerator=nvidia-l4`."""

    gpu_taint: OptionalText = "nvidia.com/gpu"
    """Taint of the accelerator nodes that Trainer tolerates when it asks for accelerators; `none` for no
    toleration."""

    retries: int = Field(default=2, ge=0, le=10)
    """How often a failed component is tried again, 0 to 10."""

    retry_backoff_seconds: int = Field(default=60, ge=0, le=86_400)
    """Wait before the first retry, in seconds, 0 to 86400."""

    retry_backoff_factor: float = Field(default=2.0, ge=1, le=10)
    """What the wait is multiplied by at each further retry, 1 to 10."""

    retry_backoff_max_seconds: int = Field(default=3600, ge=0, le=86_400)
    """Longest wait between two tries, in seconds, 0 to 86400."""

    timeout_seconds: int = Field(default=7200, ge=60, le=604_800)
    """Time after which a component other than Trainer is stopped, in seconds, 60 to 604800 (a week)."""

    trainer_timeout_seconds: int = Field(default=86_400, ge=60, le=2_592_000)
    """Time after which Trainer, or Tuner, is stopped, in seconds, 60 to 2592000 (thirty days)."""

    uncached: Words = ("ImportExampleGen", "InitialModel", "BaselineModel", "HFPusher")
    """Components that run even if nothing changed. ImportExampleGen belongs here unless data.path gets a new name
    with new rows: Kubeflow's cache sees the path alone. InitialModel, BaselineModel and HFPusher must look at the Hub
    as it is."""

    parameters: Words = (
        "data.path", "training.epochs", "training.learning_rate", "training.max_steps", "training.seed",
        "publish.repo_id", "publish.space_repo_id",
    )  # fmt: skip
    """Fields that each run may set as pipeline parameters: any of model, training and generation, data.path, and
    publish.repo_id, publish.space_repo_id, publish.license."""

    token_secret: Text = "hugging-face"
    """Kubernetes secret that holds the Hub's access token."""

    token_secret_key: Text = "token"
    """Key of the token in token_secret."""
