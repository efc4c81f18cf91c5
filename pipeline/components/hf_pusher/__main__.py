"""Publishes a model that a Trainer left, without a pipeline; with --dry-run, shows what would happen.

python -m pipeline.components.hf_pusher --model-dir output/tfx/…/Trainer/model/7 --repo-id local/my-model --dry-run
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

from pipeline.components.hf_pusher.connection import LOCAL_ENDPOINT, connect
from pipeline.components.hf_pusher.plan import EXPORTS
from pipeline.components.hf_pusher.publication import Publication, SpaceTarget, publication_of


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        text = _run(options, _publication(options))
    except (RuntimeError, OSError) as error:
        if not getattr(error, "user_message", False):
            raise
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{text}\n")
    return 0


def _run(options: argparse.Namespace, publication: Publication) -> str:
    from pipeline.components.hf_pusher.preview import preview
    from pipeline.components.hf_pusher.publisher import publish

    # An embedded Hub that is not there yet would be made by connecting to it.
    absent = options.endpoint == LOCAL_ENDPOINT and not options.storage_dir.is_dir()
    connection = nullcontext() if options.dry_run and absent else connect(
        endpoint=options.endpoint,
        token_env=options.token_env,
        storage_dir=str(options.storage_dir),
        local_port=options.local_port,
    )  # fmt: skip
    with connection as hub:
        if options.dry_run:
            return f"{preview(hub, publication, now=datetime.now(UTC))}\nDry run: nothing was changed."
        assert hub is not None
        published = publish(hub, publication, clock=lambda: datetime.now(UTC))
    state = "was published already" if published.already_published else "is published"
    return f"{published.repo_id} {state} as {published.revision}, commit {published.commit}"


def _publication(options: argparse.Namespace) -> Publication:
    space = SpaceTarget(options.space_repo_id, options.space_template) if options.space_repo_id else None
    return publication_of(
        options.model_dir,
        repo_id=options.repo_id,
        license=options.license,
        endpoint=options.endpoint,
        private=options.private,
        exports=options.exports,
        keep_revisions=options.keep_revisions,
        space=space,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pipeline.components.hf_pusher", description="Publish a model that a Trainer left."
    )
    add = parser.add_argument
    add("--model-dir", type=Path, required=True, help="the Trainer's model artifact, such as …/Trainer/model/7")
    add("--repo-id", required=True, help="model repository, namespace/name")
    add("--dry-run", action="store_true", help="print files, sizes, revision and differences; change nothing")
    add("--endpoint", default=LOCAL_ENDPOINT, help='address of the Hub, or "local" (default) for the embedded one')
    add("--space-repo-id", help="Space repository, namespace/name; without it no Space is published")
    add("--space-template", type=Path, default=Path("space"), help="folder the Space is rendered from (space)")
    add("--exports", nargs="+", choices=tuple(EXPORTS), default=tuple(EXPORTS), help="what to publish (all)")
    add("--keep-revisions", type=int, default=0, help="newest dated revisions that stay; 0 (default) keeps all")
    add("--license", default="apache-2.0", help="the Hub's identifier of the model's licence (apache-2.0)")
    add("--private", action="store_true", help="create repositories private")
    add("--token-env", default="HF_TOKEN", help="name of the variable with the access token (HF_TOKEN)")
    add("--storage-dir", type=Path, default=Path("output/hub"), help="folder of the embedded Hub (output/hub)")
    add("--local-port", type=int, default=8642, help="port of the embedded Hub (8642)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
