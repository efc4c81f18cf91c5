"""Publishes a model that a Trainer left, without a pipeline; with --dry-run, shows what would happen. Or verifies.

python -m publishing --model-dir output/tfx/…/Trainer/model/7 --repo-id local/my-model --dry-run
python -m publishing verify local/my-model
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from publishing.connection import connect
from publishing.errors import numbered
from publishing.exports import DEFAULT_EXPORTS, EXPORTS
from publishing.permissions import Target, permission_problems
from publishing.publication import Signer, publication_of
from publishing.settings import LOCAL_ENDPOINT, HubSettings, PublishSettings
from publishing.space_template import SDKS

if TYPE_CHECKING:
    from publishing.hub_client import Hub

PROGRAM = "python -m publishing"
VERIFY = "verify"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        text, is_well = _verify(words[1:]) if words[:1] == [VERIFY] else _publish(words)
    except (RuntimeError, OSError) as error:
        if not getattr(error, "user_message", False):
            raise
        sys.stderr.write(f"{error}\n")
        return 1
    (sys.stdout if is_well else sys.stderr).write(f"{text}\n")
    return 0 if is_well else 1


def _verify(words: Sequence[str]) -> tuple[str, bool]:
    from publishing.verification import add_arguments, verify_folder, verify_revision

    parser = argparse.ArgumentParser(
        prog=f"{PROGRAM} {VERIFY}", description="Compare every file of a published revision with its manifest."
    )
    add_arguments(parser)
    _add_hub_arguments(parser)
    options = parser.parse_args(words)
    if options.folder is not None:
        verified = verify_folder(options.folder, public_key=options.public_key)
    else:
        with connect(HubSettings(**_hub_settings(options)), read_only=True) as hub:
            verified = verify_revision(hub, options.repo_id, revision=options.revision, public_key=options.public_key)
    return verified.render(), not verified.problems


def _publish(words: Sequence[str]) -> tuple[str, bool]:
    from publishing.preview import preview
    from publishing.publisher import publish

    parser = _parser()
    options = parser.parse_args(words)
    settings = _publish_settings(parser, options)
    publication = publication_of(options.model_dir, settings, signer=_signer(settings.signing_key_env))
    # An embedded Hub that is not there yet would be made by connecting to it.
    absent = options.endpoint == LOCAL_ENDPOINT and not options.storage_dir.is_dir()
    with nullcontext() if options.dry_run and absent else connect(settings) as hub:
        problems = _problems(hub, settings)
        if options.dry_run:
            plan = f"{preview(hub, publication, now=datetime.now(UTC))}\nDry run: nothing was changed."
            return "\n".join([plan, *_numbered("It would be refused", problems)]), not problems
        if problems:
            return "\n".join(_numbered("Nothing was published", problems)), False
        assert hub is not None
        published = publish(hub, publication, clock=lambda: datetime.now(UTC))
    state = "was published already" if published.already_published else "is published"
    return f"{published.repo_id} {state} as {published.revision}, commit {published.commit}", True


def _problems(hub: Hub | None, settings: PublishSettings) -> list[str]:
    """Returns why the token may not write where it is to; the embedded Hub lets everybody."""
    if hub is None or settings.endpoint == LOCAL_ENDPOINT:
        return []
    targets = [Target("--repo-id", settings.repo_id, "model")]
    if settings.space_repo_id:
        targets.append(Target("--space-repo-id", settings.space_repo_id, "space"))
    return permission_problems(hub, targets)


def _numbered(headline: str, problems: Sequence[str]) -> list[str]:
    return [numbered(headline, problems)] if problems else []


def _hub_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Returns the fields of `HubSettings`."""
    return {
        "endpoint": options.endpoint,
        "token_env": options.token_env,
        "storage_dir": str(options.storage_dir),
        "local_port": options.local_port,
    }


def _publish_settings(parser: argparse.ArgumentParser, options: argparse.Namespace) -> PublishSettings:
    try:
        return PublishSettings(
            **_hub_settings(options),
            repo_id=options.repo_id,
            license=options.license,
            private=options.private,
            exports=options.exports,
            keep_revisions=options.keep_revisions,
            datasets=options.datasets,
            signing_key_env=options.signing_key_env,
            space_repo_id=options.space_repo_id,
            space_template=str(options.space_template),
            space_sdk=options.space_sdk,
        )
    except ValidationError as error:
        parser.error("; ".join(f"{'.'.join(map(str, details['loc']))}: {details['msg']}" for details in error.errors()))


def _signer(variable: str | None) -> Signer | None:
    if variable is None:
        return None
    from publishing.signing import key_signer

    return key_signer(os.environ, variable=variable)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Publish a model that a Trainer left.",
        epilog=f"`{PROGRAM} {VERIFY} --help` tells how to check what is published.",
    )
    add = parser.add_argument
    add("--model-dir", type=Path, required=True, help="the Trainer's model artifact, such as …/Trainer/model/7")
    add("--repo-id", required=True, help="model repository, namespace/name")
    add("--dry-run", action="store_true", help="print files, sizes, revision and differences; change nothing")
    add("--space-repo-id", help="Space repository, namespace/name; without it no Space is published")
    add("--space-template", type=Path, default=Path("space"), help="folder the Space is rendered from (space)")
    add("--space-sdk", choices=SDKS, help="what the Space runs on (what the template's README names)")
    add("--exports", nargs="+", choices=tuple(EXPORTS), default=DEFAULT_EXPORTS, help="what to publish")
    add("--keep-revisions", type=int, default=0, help="newest dated revisions that stay; 0 (default) keeps all")
    add("--license", help="the Hub's identifier of the model's licence (none is claimed)")
    add("--datasets", nargs="+", default=(), help="the Hub's names of what the model was trained on (none)")
    add("--private", action="store_true", help="create repositories private")
    add("--signing-key-env", help="name of the variable with the path of a private key to sign with (not signed)")
    _add_hub_arguments(parser)
    return parser


def _add_hub_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--endpoint", default=LOCAL_ENDPOINT, help='address of the Hub, or "local" (default) for the embedded one')
    add("--token-env", default="HF_TOKEN", help="name of the variable with the access token (HF_TOKEN)")
    add("--storage-dir", type=Path, default=Path("output/hub"), help="folder of the embedded Hub (output/hub)")
    add("--local-port", type=int, help="port of the embedded Hub (8642, or a free one where that is taken)")


if __name__ == "__main__":
    sys.exit(main())
