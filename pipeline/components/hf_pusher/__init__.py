"""HFPusher: publishes a blessed model as a dated revision of a Hub repository, then the Space that answers
from it.

component.py, executor.py      what TFX sees
plan.py, card.py, space_template.py    what will be where: pure, comparable, printable
hub_client.py, publisher.py    doing it, with an injected `HfApi`
verify.py, signing.py          checking what was published, and vouching for it

PublishError (RuntimeError)
├── PlanError           the model artifact lacks a file, or two files want one place
├── SpaceTemplateError  the template cannot be rendered
├── TokenError          the variable that should hold the token is empty
├── SigningError        nothing can be signed or checked: no key, or no model-signing
└── HubError            the Hub refused, failed, or could not be reached
"""
