"""What docs/serving.md says of the server: its commands parse, its manifests fit it, its example runs."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from typing import Any

import openai
import pytest
import yaml

from serving import __main__ as server_command
from serving import generate
from serving.settings import KEYS_ENV
from tests.publishing.tiny_model import ANSWER
from tests.serving.serving_process import ROOT, Served

TEXT = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
LINES = [
    re.sub(r"\s+# .*", "", line).removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
MANIFESTS = [each for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) for each in yaml.safe_load_all(block)]


def containers() -> list[dict[str, Any]]:
    found = []
    for manifest in MANIFESTS:
        spec = manifest["spec"]
        found += spec.get("template", {}).get("spec", {}).get("containers", [])
        found += spec.get("predictor", {}).get("containers", [])
    return found


def test_the_page_shows_every_kind_of_manifest() -> None:
    assert [each["kind"] for each in MANIFESTS] == ["Deployment", "HorizontalPodAutoscaler", "InferenceService"]


@pytest.mark.parametrize("line", [line for line in LINES if "make serve" in line or "-m serving " in line])
def test_every_command_of_the_server_parses(line: str) -> None:
    words = shlex.split(line)
    arguments = shlex.split(dict(word.split("=", 1) for word in words if "=" in word).get("ARGS", ""))
    server_command.settings_of(server_command._parser().parse_args(words[3:] if "-m" in words else arguments))


@pytest.mark.parametrize("line", [line for line in LINES if "-m serving.generate" in line])
def test_every_generate_command_parses(line: str) -> None:
    generate._parser().parse_args(shlex.split(line.partition("<")[0])[3:])


@pytest.mark.parametrize("container", containers(), ids=lambda each: each["name"])
def test_containers_have_flags_keys_port_and_probes_of_the_server(
    container: dict[str, Any], tiny_server: Served
) -> None:
    with tiny_server.client() as client:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            if probe in container:
                assert client.get(container[probe]["httpGet"]["path"]).status_code == 200
    options = server_command._parser().parse_args(container["args"])

    assert [each["containerPort"] for each in container["ports"]] == [options.port]
    assert [each["name"] for each in container["env"]] == [KEYS_ENV]


def test_the_autoscaler_follows_a_figure_of_the_server(tiny_server: Served) -> None:
    (autoscaler,) = [each for each in MANIFESTS if each["kind"] == "HorizontalPodAutoscaler"]
    (metric,) = autoscaler["spec"]["metrics"]

    with tiny_server.client() as client:
        assert f"\n{metric['pods']['metric']['name']} " in client.get("/metrics").text


def test_the_example_with_openais_client_runs(tiny_server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(from openai.*?)```", TEXT, re.DOTALL)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(code.replace("http://127.0.0.1:8000", tiny_server.url), {"openai": openai})

    assert shown.getvalue() == ANSWER


def test_the_page_names_the_routes_there_are(tiny_server: Served) -> None:
    with tiny_server.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
    told = {path.replace("NAME", "{name}") for path in re.findall(r"`(?:GET|POST) (/[^` ]*)`", TEXT)}

    assert paths.keys() - told == {"/v1/models/{name}"}
    assert told - paths.keys() == {"/docs", "/openapi.json"}
