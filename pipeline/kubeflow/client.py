"""Kubeflow Pipelines' API through the kfp client: connecting, calling, and what a failure means.

The errors:

    PipelineError
    └── KubeflowError
        ├── KubeflowUnreachableError    no connection, or no answer in time
        ├── KubeflowAccessError         401, 403, or a login page in place of the API
        ├── KubeflowNotFoundError       404
        ├── KubeflowConflictError       409
        └── KubeflowServerError         any other status
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from kfp.client import Client, ServiceAccountTokenVolumeCredentials
from kfp_server_api import ApiException
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, SSLError, TimeoutError

from pipeline.errors import PipelineError

IN_CLUSTER_HOST = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
PAGE_SIZE = 100  # records; the server's own limit is 200
LONGEST_DETAIL = 300  # characters of the server's own words in a message
# kfp asks for the server's health on construction, up to five times and without a time limit, unless it is given
# a namespace other than its default. Every request below names its own.
NO_HEALTH_CHECK = "unused"


class KubeflowError(PipelineError):
    """Kubeflow did not do what it was asked for."""


class KubeflowUnreachableError(KubeflowError):
    """No connection, or no answer in time."""


class KubeflowAccessError(KubeflowError):
    """The server does not know who asks, or does not allow it."""


class KubeflowNotFoundError(KubeflowError):
    """There is no such thing."""


class KubeflowConflictError(KubeflowError):
    """It exists already, or is being changed by somebody else."""


class KubeflowServerError(KubeflowError):
    """The server refuses the request or has a fault of its own."""


@dataclass(frozen=True)
class Connection:
    """The address of Kubeflow and the credentials for it; secrets do not show in its repr."""

    host: str
    """Address of the API, such as http://localhost:8888 behind a port-forward."""

    namespace: str | None = None
    """Kubernetes namespace of a multi-user installation; None for a single-user one."""

    token: str | None = field(default=None, repr=False)
    """Bearer token; None for an installation that asks for none."""

    token_env: str = "KUBEFLOW_TOKEN"
    """Name of the variable that the token came from; for messages."""

    cookies: str | None = field(default=None, repr=False)
    """Cookie header of a session, where a login page guards the API."""

    token_path: str | None = None
    """File of a projected service account token, inside a cluster; it is read again whenever it changes."""

    ca_file: str | None = None
    """Certificate authorities to trust instead of the usual ones."""

    timeout_seconds: float = 30.0
    """Longest wait for a connection, and for each answer."""


@dataclass(frozen=True)
class KubeflowClient:
    """Calls the API through an injected kfp client, each request within a time limit."""

    client: Client
    connection: Connection

    def call(self, method: Callable[..., Any], /, *arguments: Any, **options: Any) -> Any:
        """Returns the result of `method`, one of the kfp client's generated API methods.

        Raises:
            KubeflowError: By what went wrong; see the module.
        """
        limit = (self.connection.timeout_seconds, self.connection.timeout_seconds)
        try:
            result = method(*arguments, **options, _request_timeout=limit)
        except ApiException as error:
            # The cause would repeat the server's words unredacted.
            raise _request_error(error, self.connection) from None
        except HTTPError as error:
            raise _unreachable(error, self.connection) from error
        # A login page would pass for an empty answer: the generated client reads any text as a record without fields.
        answer = method.__self__.api_client.last_response  # type: ignore[attr-defined]
        if "json" not in (answer.getheader("content-type") or ""):
            raise _wrong_address_error(self.connection)
        return result

    def pages(self, method: Callable[..., Any], records: str, /, **options: Any) -> Iterator[Any]:
        """Yields every record of a list method, page after page; `records` is their name in its answers."""
        token = ""
        while True:
            page = self.call(method, page_token=token, page_size=PAGE_SIZE, **options)
            yield from getattr(page, records) or ()
            token = page.next_page_token or ""
            if not token:
                return


def connect(connection: Connection) -> KubeflowClient:
    """Returns a client for `connection`; sends nothing yet.

    Raises:
        KubeflowError: If the host is no address.
    """
    if not re.fullmatch(r"https?://[^\s/@]+(/[^\s@]*)?", connection.host):
        raise KubeflowError(
            "--kubeflow.endpoint must be an http:// or https:// address without credentials. "
            f"Received: {'an address with credentials' if '@' in connection.host else repr(connection.host)}. "
            f"Take http://localhost:8888 behind a port-forward, or {IN_CLUSTER_HOST} inside the cluster."
        )
    credentials = ServiceAccountTokenVolumeCredentials(connection.token_path) if connection.token_path else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # kfp announces on each construction that it is not kfp 1
        client = Client(
            host=connection.host.rstrip("/"),
            namespace=NO_HEALTH_CHECK,
            existing_token=connection.token,
            cookies=connection.cookies,
            credentials=credentials,
            ssl_ca_cert=connection.ca_file,
        )
    return KubeflowClient(client, connection)


def named(name: str) -> str:
    """Returns the API's filter for records with exactly this display name."""
    return json.dumps({"predicates": [{"operation": "EQUALS", "key": "display_name", "stringValue": name}]})


# ----------------------------------------------------------------------------------------------------- Errors


def _request_error(error: ApiException, connection: Connection) -> KubeflowError:
    received = f"Received: {error.status} {error.reason} from {connection.host}{_detail(error, connection)}."
    if error.status == 401:
        return KubeflowAccessError(
            f"Kubeflow must know who asks. {received} Put a valid token into {connection.token_env}; "
            "one that worked before may have expired."
        )
    if error.status == 403:
        where = f"namespace {connection.namespace}" if connection.namespace else "this installation"
        return KubeflowAccessError(
            f"The account must be allowed to do this in {where}. {received} "
            "Ask its administrator, or choose another --kubeflow.namespace."
        )
    if error.status == 404:
        return KubeflowNotFoundError(
            f"What is asked for must exist. {received} Check the name; if nothing is found at all, "
            "--kubeflow.endpoint, which must be that of the API (Kubeflow Pipelines 2)."
        )
    if error.status == 409:
        return KubeflowConflictError(
            f"Kubeflow has this already, or somebody else is changing it. {received} Look with `runs`, and try again."
        )
    return KubeflowServerError(
        f"Kubeflow must accept the request. {received} {_way_out(error.status)} "
        "Before submitting again, look with `runs` whether it has been carried out all the same."
    )


def _way_out(status: int) -> str:
    if status >= 500:
        return "The fault is the server's: try again in a while; its ml-pipeline pod logs the reason."
    return "Correct what it complains about."


def _detail(error: ApiException, connection: Connection) -> str:
    """Returns the server's own words, on one line, shortened, and without the secrets that it may have repeated."""
    text = error.body or ""
    try:
        text = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        text = re.sub(r"<[^>]*>", " ", text)
    for secret in (connection.token, connection.cookies):
        text = text.replace(secret, "(secret)") if secret else text
    words = " ".join(text.split()).rstrip(".")
    shortened = words if len(words) <= LONGEST_DETAIL else words[:LONGEST_DETAIL] + " …"
    return f": {shortened}" if shortened else ""


def _unreachable(error: HTTPError, connection: Connection) -> KubeflowUnreachableError:
    reason = error.reason if isinstance(error, MaxRetryError) and error.reason is not None else error
    if isinstance(reason, TimeoutError) and not isinstance(reason, NewConnectionError):
        return KubeflowUnreachableError(
            f"Kubeflow must answer within {connection.timeout_seconds:g} seconds. "
            f"Received: nothing from {connection.host}. Raise --kubeflow.api-timeout-seconds, or see whether its "
            "ml-pipeline pod is up. Before submitting again, look with `runs` whether it has been carried out all the "
            "same."
        )
    if isinstance(reason, SSLError):
        return KubeflowUnreachableError(
            f"Kubeflow's certificate must be one that this machine trusts. Received: {reason} from {connection.host}. "
            "Name the authority's file (--kubeflow.ca-file), or correct --kubeflow.endpoint."
        )
    return KubeflowUnreachableError(
        f"Kubeflow must be reachable. Received: {type(reason).__name__} from {connection.host}. "
        "Check --kubeflow.endpoint, and the port-forward if there is one "
        "(kubectl port-forward -n kubeflow svc/ml-pipeline 8888)."
    )


def _wrong_address_error(connection: Connection) -> KubeflowAccessError:
    return KubeflowAccessError(
        f"{connection.host} must answer as Kubeflow's API. Received: a page, not JSON; most likely a login page. "
        f"Put a token into {connection.token_env}, or the cookies of a session beside it, or go past the login with "
        "kubectl port-forward -n kubeflow svc/ml-pipeline 8888."
    )
