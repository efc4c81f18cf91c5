"""The HFPusher component: its inputs, parameters and output."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from pipeline.components.hf_pusher.executor import Executor


class HFPusherSpec(ComponentSpec):
    """What HFPusher reads, is told, and writes."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads a class attribute
        "repo_id": ExecutionParameter(type=str),
        "space_repo_id": ExecutionParameter(type=str, optional=True),
        "space_template": ExecutionParameter(type=str, optional=True),
        "endpoint": ExecutionParameter(type=str),
        "storage_dir": ExecutionParameter(type=str, optional=True),
        "local_port": ExecutionParameter(type=int, optional=True),
        "private": ExecutionParameter(type=int),
        "token_env": ExecutionParameter(type=str),
        "license": ExecutionParameter(type=str),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
    }


class HFPusher(base_component.BaseComponent):
    """Publishes a model as a dated revision of a Hub repository, then the Space that answers from it.

    The output `pushed_model` has the custom properties `pushed` (0 or 1), `not_pushed_reason`,
    `already_published` (0 or 1), `repo_id`, `revision`, `commit`, `url`, `space_repo_id`, `space_commit`,
    `space_url`, and TFX's own `pushed_destination` and `pushed_version`; its folder holds `publication.json`
    with all of that and the file manifest.

        HFPusher(model=trainer.outputs["model"], repo_id="me/my-model", endpoint="https://huggingface.co")
    """

    SPEC_CLASS = HFPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: types.BaseChannel,
        repo_id: str,
        endpoint: str,
        model_blessing: types.BaseChannel | None = None,
        infra_blessing: types.BaseChannel | None = None,
        space_repo_id: str | None = None,
        space_template: str | None = None,
        storage_dir: str | None = None,
        local_port: int | None = None,
        private: bool = False,
        token_env: str = "HF_TOKEN",
        license: str = "apache-2.0",
        fingerprint: str = "",
    ) -> None:
        """Describes one publication.

        Args:
          model: what to publish, from the Trainer. repo_id: model repository, "namespace/name"; created if
          absent. endpoint: address of the Hub, or "local" for the embedded server. model_blessing: the
          Evaluator's verdict; a model that is not blessed is not pushed. infra_blessing: the InfraValidator's
          verdict, likewise. space_repo_id: Space repository; without it no Space is published.
          space_template: folder that the Space is rendered from; needed with `space_repo_id`. storage_dir:
          folder of the embedded server; needed with endpoint "local". local_port: port of the embedded server
          on 127.0.0.1; needed with endpoint "local". private: whether a repository that has to be created is
          private. token_env: *name* of the environment variable that holds the token; never the token.
          license: the Hub's identifier of the model's licence. fingerprint: anything else that, when changed,
          must publish anew although TFX sees the same inputs; see
            `fingerprint.publication_fingerprint`.
        """
        if endpoint == "local" and (storage_dir is None or local_port is None):
            raise ValueError(
                'The embedded Hub needs a folder and a port. Received: endpoint="local", '
                f"storage_dir={storage_dir!r}, local_port={local_port!r}."
            )
        if space_repo_id is not None and space_template is None:
            raise ValueError(f"A Space needs a template folder. Received: space_repo_id={space_repo_id!r} alone.")
        super().__init__(
            HFPusherSpec(
                model=model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                repo_id=repo_id,
                endpoint=endpoint,
                space_repo_id=space_repo_id,
                space_template=space_template,
                storage_dir=storage_dir,
                local_port=local_port,
                private=int(private),
                token_env=token_env,
                license=license,
                fingerprint=fingerprint,
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )
