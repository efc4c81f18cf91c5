"""The PublishedModel component: its parameters and output."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from modules.fingerprint import fingerprint
from pipeline.components.published_model.executor import Executor


class PublishedModelSpec(ComponentSpec):
    """What PublishedModel is told, and writes."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads a class attribute
        "repo_id": ExecutionParameter(type=str),
        "endpoint": ExecutionParameter(type=str),
        "token_env": ExecutionParameter(type=str),
        "storage_dir": ExecutionParameter(type=str, optional=True),
        "local_port": ExecutionParameter(type=int, optional=True),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {"model": ChannelParameter(type=standard_artifacts.Model)}  # noqa: RUF012


class PublishedModel(base_component.BaseComponent):
    """Downloads the model that `main` of a Hub repository serves.

    The output `model` has the custom properties `repo_id` and `commit`. Where nothing was published its folder holds
    only `published.json`, which says so.
    """

    SPEC_CLASS = PublishedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        repo_id: str,
        endpoint: str,
        token_env: str = "HF_TOKEN",
        storage_dir: str | None = None,
        local_port: int | None = None,
    ) -> None:
        """Describes one download.

        Args:
          repo_id: model repository, "namespace/name".
          endpoint: address of the Hub, or "local" for the embedded server.
          token_env: *name* of the environment variable that holds the token; never the token.
          storage_dir: folder of the embedded server; needed with endpoint "local".
          local_port: port of the embedded server on 127.0.0.1; 8642 or a free one unless given.
        """
        super().__init__(
            PublishedModelSpec(
                repo_id=repo_id,
                endpoint=endpoint,
                token_env=token_env,
                storage_dir=storage_dir,
                local_port=local_port,
                fingerprint=fingerprint(Executor.__module__),
                model=types.Channel(type=standard_artifacts.Model),
            )
        )
