"""Publishes a model as a dated revision of a Hub repository, then the Space that answers from it. Without TFX.

settings.py                             what is published, and which Hub is spoken to
exports.py, files.py, manifest.py, plan.py, publication.py, space_template.py, card/
                                        what will be where: pure, comparable, printable
connection.py, client_settings.py, hub_client.py, failures.py, permissions.py
                                        speaking to a Hub, with an injected `HfApi`
publisher.py, revisions.py, drafts.py, main_branch.py, retention.py
                                        doing it
preview.py, verification.py, signing.py, downloads.py
                                        looking first, checking afterwards, vouching for it, getting it back

`python -m publishing --help` is the command.
"""
