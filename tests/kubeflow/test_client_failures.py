"""What the user reads when Kubeflow does not do what it is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.kubeflow.client import (
    Connection,
    KubeflowAccessError,
    KubeflowClient,
    KubeflowConflictError,
    KubeflowError,
    KubeflowNotFoundError,
    KubeflowServerError,
    KubeflowUnreachableError,
    connect,
)
from tests.kubeflow.kfp_server import Fault, KfpServer, serving
from tests.kubeflow.submitting import (
    TOKEN,
    Command,
)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (
            "401",
            KubeflowAccessError,
            r"must know who asks\. Received: 401 Unauthorized from http://127.*KUBEFLOW_TOKEN",
        ),
        ("403", KubeflowAccessError, r"must be allowed to do this in this installation\. Received: 403 Forbidden"),
        ("404", KubeflowNotFoundError, r"must exist\. Received: 404 Not Found .*: injected\. Check the name"),
        ("409", KubeflowConflictError, r"has this already.*Received: 409 Conflict"),
        ("400", KubeflowServerError, r"Received: 400 Bad Request .* Correct what it complains about\."),
        ("500", KubeflowServerError, r"Received: 500 Internal Server Error .*ml-pipeline pod.*look with `runs`"),
        ("503", KubeflowServerError, r"Received: 503 Service Unavailable"),
        ("page", KubeflowAccessError, r"must answer as Kubeflow's API\. Received: a page, not JSON"),
    ],
)
@pytest.mark.parametrize("path", [".*/pipelines", ".*/runs"])
def test_a_failure_says_what_was_received_and_what_to_do(
    path: str, answer: str, error: type[KubeflowError], message: str, server: KfpServer, command: Command
) -> None:
    server.faults.append(Fault("GET" if "pipelines" in path else "POST", path, answer))

    with pytest.raises(error, match=message):
        command("submit")


def test_the_token_is_never_in_a_message(server: KfpServer, kubeflow: KubeflowClient) -> None:
    wrong = replace(kubeflow.connection, token="eyJ-wrong-and-secret")

    with pytest.raises(KubeflowAccessError) as caught:
        connect(wrong).call(connect(wrong).client.runs.run_service_list_runs)

    # The server repeats the header in its answer, as Kubeflow does.
    assert "Request header error: Bearer (secret) is not valid" in str(caught.value)
    assert "eyJ-wrong-and-secret" not in repr((caught.value, wrong, caught.value.__cause__))


def test_a_session_cookie_lets_in_too(server: KfpServer, kubeflow: KubeflowClient) -> None:
    server.cookie = "authservice_session=secret"
    session = connect(replace(kubeflow.connection, token=None, cookies=server.cookie))

    assert session.call(session.client.runs.run_service_list_runs).runs is None


def test_a_service_accounts_token_is_read_again_when_it_changes(
    server: KfpServer, kubeflow: KubeflowClient, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("expired", encoding="utf-8")
    account = connect(replace(kubeflow.connection, token=None, token_path=str(file)))
    list_runs = account.client.runs.run_service_list_runs

    with pytest.raises(KubeflowAccessError):
        account.call(list_runs)
    file.write_text(TOKEN, encoding="utf-8")

    assert account.call(list_runs).runs is None


def test_a_certificate_that_does_not_fit_is_an_error_of_its_own(kubeflow: KubeflowClient) -> None:
    secure = connect(replace(kubeflow.connection, host=kubeflow.connection.host.replace("http:", "https:")))

    with pytest.raises(KubeflowUnreachableError, match=r"certificate must be one that this machine trusts"):
        secure.call(secure.client.runs.run_service_list_runs)


def test_no_answer_in_time_is_an_error_of_its_own(server: KfpServer, command: Command) -> None:
    server.faults.append(Fault("POST", ".*/runs", "hang"))

    with pytest.raises(KubeflowUnreachableError, match=r"must answer within 1 seconds\. Received: nothing from"):
        command("submit")


def test_nobody_listening_is_an_error_of_its_own() -> None:
    with serving(KfpServer()) as host:
        pass
    kubeflow = connect(Connection(host, timeout_seconds=1))

    with pytest.raises(KubeflowUnreachableError, match=r"must be reachable\. Received: NewConnectionError from"):
        kubeflow.call(kubeflow.client.runs.run_service_list_runs)


@pytest.mark.parametrize("host", ["localhost:8080", "ftp://host", "https://me:secret@host"])
def test_a_host_is_an_address_without_credentials(host: str) -> None:
    with pytest.raises(KubeflowError, match=r"must be an http:// or https:// address") as caught:
        connect(Connection(host))

    assert "secret" not in str(caught.value)
