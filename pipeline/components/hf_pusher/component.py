"""The HFPusher component: its inputs, parameters and output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from pipeline.components.data_gate.artifact import DataBlessing
from pipeline.components.hf_pusher.executor import LICENSE_OF_DATA, Executor
from pipeline.components.hf_pusher.fingerprint import publication_fingerprint
from pipeline.components.hf_pusher.plan import DEFAULT_EXPORTS, check_exports


class HFPusherSpec(ComponentSpec):
    """What HFPusher reads, is told, and writes."""

    PARAMETERS = {  # noqa: RUF012 - TFX reads a class attribute
        "repo_id": ExecutionParameter(type=str),
        "space_repo_id": ExecutionParameter(type=str, optional=True),
        "space_template": ExecutionParameter(type=str, optional=True),
        "space_private": ExecutionParameter(type=int, optional=True),
        "space_sdk": ExecutionParameter(type=str, optional=True),
        "space_hardware": ExecutionParameter(type=str, optional=True),
        "space_values": ExecutionParameter(type=str, optional=True),  # JSON
        "exports": ExecutionParameter(type=str),  # parted by commas
        "keep_revisions": ExecutionParameter(type=int),
        "endpoint": ExecutionParameter(type=str),
        "storage_dir": ExecutionParameter(type=str, optional=True),
        "local_port": ExecutionParameter(type=int, optional=True),
        "private": ExecutionParameter(type=int),
        "token_env": ExecutionParameter(type=str),
        "license": ExecutionParameter(type=str),  # or LICENSE_OF_DATA
        "datasets": ExecutionParameter(type=str, optional=True),  # parted by commas
        "signing_key_env": ExecutionParameter(type=str, optional=True),
        "fingerprint": ExecutionParameter(type=str),
    }
    INPUTS = {  # noqa: RUF012
        "model": ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": ChannelParameter(type=standard_artifacts.ModelBlessing, optional=True),
        "infra_blessing": ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
        "evaluation": ChannelParameter(type=standard_artifacts.ModelEvaluation, optional=True),
        "statistics": ChannelParameter(type=standard_artifacts.ExampleStatistics, optional=True),
        "data_blessing": ChannelParameter(type=DataBlessing, optional=True),
    }
    OUTPUTS = {  # noqa: RUF012
        "pushed_model": ChannelParameter(type=standard_artifacts.PushedModel),
    }


class HFPusher(base_component.BaseComponent):
    """Publishes a model as a dated revision of a Hub repository, then the Space that answers from it.

    The output `pushed_model` has the custom properties `pushed` (0 or 1), `not_pushed_reason`,
    `already_published` (0 or 1), `on_main` (0 when a later publication took `main` meanwhile), `repo_id`,
    `revision`, `commit`, `url`, `space_repo_id`, `space_commit`, `space_url`, and TFX's own `pushed_destination`
    and `pushed_version`; its folder holds `publication.json` with all of that and the file manifest.

        HFPusher(model=trainer.outputs["model"], repo_id="me/my-model", endpoint="https://huggingface.co")

    Parameters:
      model: what to publish, from the Trainer.
      repo_id: model repository, "namespace/name"; created if absent.
      endpoint: address of the Hub, or "local" for the embedded server.
      model_blessing: the Evaluator's verdict; a model that is not blessed is not pushed.
      infra_blessing: the InfraValidator's verdict, likewise.
      evaluation: the Evaluator's result, whose record gives the card its metrics by slice.
      statistics: StatisticsGen's, which give it rows and lengths of the data.
      data_blessing: the DataGate's, which tells it what was found in the data and let through.
      space_repo_id: Space repository; without it no Space is published.
      space_template: folder that the Space is rendered from; needed with `space_repo_id`.
      space_sdk: "gradio" or "docker"; what the template's README names unless given.
      space_private: whether a Space that has to be created is private; as the model unless given.
      space_hardware: the Hub's name of the hardware of a Space that has to be created.
      space_values: further placeholders of the template, by name.
      exports: what to publish of "transformers", "keras", "ctranslate2", "saved_model", "ctranslate2_float32" and
        "adapter".
      keep_revisions: how many of the newest dated revisions stay; 0 keeps all. One that a Space runs stays.
      storage_dir: folder of the embedded server; needed with endpoint "local".
      local_port: port of the embedded server on 127.0.0.1; 8642 or a free one unless given.
      private: whether a repository that has to be created is private.
      token_env: *name* of the environment variable that holds the token; never the token.
      license: the Hub's identifier of the model's licence; that of the data, which `data_blessing` may know, unless
        given. Without either, the card claims none.
      datasets: the Hub's names of what the model was trained on, for the card; those that `data_blessing` knows unless
        given.
      signing_key_env: *name* of the environment variable that holds the path of a private key to sign the
        revision with; not signed unless given.
      fingerprint: from `fingerprint.publication_fingerprint`, for a publication from TFX's cache to be the right one;
        unless given, of the code alone, without the template's files.

    Parameters that cannot work raise ValueError or PlanError.
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
        evaluation: types.BaseChannel | None = None,
        statistics: types.BaseChannel | None = None,
        data_blessing: types.BaseChannel | None = None,
        space_repo_id: str | None = None,
        space_template: str | None = None,
        space_sdk: str | None = None,
        space_private: bool | None = None,
        space_hardware: str | None = None,
        space_values: Mapping[str, str] | None = None,
        exports: Sequence[str] = DEFAULT_EXPORTS,
        keep_revisions: int = 0,
        storage_dir: str | None = None,
        local_port: int | None = None,
        private: bool = False,
        token_env: str = "HF_TOKEN",
        license: str | None = None,
        datasets: Sequence[str] = (),
        signing_key_env: str | None = None,
        fingerprint: str | None = None,
    ) -> None:
        """Describes one publication; see the class."""
        _check_hub(endpoint, storage_dir)
        if space_repo_id is not None and space_template is None:
            raise ValueError(f"A Space needs a template folder. Received: space_repo_id={space_repo_id!r} alone.")
        if keep_revisions < 0:
            raise ValueError(f"keep_revisions is a number of revisions, 0 for all. Received: {keep_revisions}.")
        check_exports(exports)
        super().__init__(
            HFPusherSpec(
                model=model,
                model_blessing=model_blessing,
                infra_blessing=infra_blessing,
                evaluation=evaluation,
                statistics=statistics,
                data_blessing=data_blessing,
                repo_id=repo_id,
                endpoint=endpoint,
                space_repo_id=space_repo_id,
                space_template=space_template,
                space_sdk=space_sdk,
                space_private=None if space_private is None else int(space_private),
                space_hardware=space_hardware,
                space_values=json.dumps(dict(space_values), sort_keys=True) if space_values else None,
                exports=",".join(exports),
                keep_revisions=keep_revisions,
                storage_dir=storage_dir,
                local_port=local_port,
                private=int(private),
                token_env=token_env,
                license=license or LICENSE_OF_DATA,
                datasets=",".join(datasets) or None,
                signing_key_env=signing_key_env,
                fingerprint=fingerprint or publication_fingerprint(),
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            )
        )


def _check_hub(endpoint: str, storage_dir: str | None) -> None:
    if endpoint == "local" and storage_dir is None:
        raise ValueError('The embedded Hub needs a folder. Received: endpoint="local", storage_dir=None.')
