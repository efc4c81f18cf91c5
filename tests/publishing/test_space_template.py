from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from publishing.errors import SpaceTemplateError
from publishing.space_template import (
    PLACEHOLDERS,
    check_template,
    front_matter,
    read_template,
    render,
    space_sdk,
)
from tests.publishing.publications import TEMPLATE

VALUES = {
    "MODEL_REPO_ID": "me/model",
    "MODEL_REPO_URL": "https://hub/me/model",
    "MODEL_VERSION": "v20261121-225207",
    "SHA": "a" * 40,
}
ANSWERING = sorted((TEMPLATE.parent / "serving" / "answering").glob("*.py"))
PAGE = [
    "about.py",
    *(f"answering/{path.name}" for path in ANSWERING),
    "app.py",
    "assistant.py",
    "plain_chat.py",
    "rate_limit.py",
    "requirements.txt",
    "style.css",
]


@pytest.mark.parametrize("path", ["app.py", "notes", "style.css", "data/x.unheard", "Dockerfile"])
def test_every_text_file_is_rendered_whatever_its_suffix(path: str) -> None:
    rendered = render({path: "$MODEL_REPO_ID at ${SHA}, ü".encode()}, VALUES)
    assert rendered == {path: f"me/model at {'a' * 40}, ü".encode()}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$5 and $$ and 5$", "$5 and $$ and 5$"),
        ("$name ${name} $(cmd) $X", "$name ${name} $(cmd) $X"),
        ("$Sha $SHAme ${SHA", "$Sha $SHAme ${SHA"),
        ("$$SHA and $${SHA}", "$SHA and ${SHA}"),
        ("$$HOME stays literal", "$HOME stays literal"),
        ("$MODEL_VERSION.txt", "v20261121-225207.txt"),
        (r"\$", r"\$"),
    ],
)
def test_dollars_that_are_no_placeholders_stay(text: str, expected: str) -> None:
    assert render({"a": text.encode()}, VALUES)["a"].decode() == expected


@pytest.mark.parametrize("content", [b"\x89PNG\0 $SHA", b"\xff\xfe $SHA"])
def test_a_file_that_is_no_text_is_copied(content: bytes) -> None:
    assert render({"image": content}, VALUES) == {"image": content}


def test_a_placeholder_without_a_value_is_named_with_its_file_and_line(template: Path) -> None:
    (template / "app.py").write_text("x = 1\ny = '$MODEL_NAME'\n")
    (template / "static").mkdir()
    (template / "static" / "page.html").write_text("${TOKEN}")

    with pytest.raises(SpaceTemplateError) as caught:
        check_template(template)
    assert "app.py:2: $MODEL_NAME has no value" in str(caught.value)
    assert "static/page.html:1: $TOKEN has no value" in str(caught.value)
    assert "write $$NAME for a literal $NAME" in str(caught.value)
    with pytest.raises(SpaceTemplateError, match=re.escape("app.py:2: $MODEL_NAME")):
        render(read_template(template), VALUES)


@pytest.mark.parametrize(
    ("readme", "problem"),
    [
        (None, "README.md is missing"),
        ("# No front matter", "must be YAML between two lines"),
        ("---\ntitle: x\n---\n", "name the sdk"),
        ("---\nsdk: [\n---\n", "must be YAML"),
        ("---\nsdk: gradio\napp_file: main.py\n---\n", "app_file main.py is not in the template"),
    ],
)
def test_a_template_that_would_not_start_is_refused_before_training(
    template: Path, readme: str | None, problem: str
) -> None:
    (template / "README.md").unlink()
    if readme is not None:
        (template / "README.md").write_text(readme)
    with pytest.raises(SpaceTemplateError, match=problem):
        check_template(template)


def test_a_template_folder_that_is_absent_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpaceTemplateError, match=r"must be a folder\. Received: .*nowhere"):
        check_template(tmp_path / "nowhere")


def test_a_symbolic_link_is_refused_because_its_target_would_be_published(template: Path) -> None:
    (template / "secret").symlink_to("/etc/hostname")
    with pytest.raises(SpaceTemplateError, match=r"no symbolic links\. Received: .*secret"):
        check_template(template)


def test_caches_are_not_published(template: Path) -> None:
    (template / "__pycache__").mkdir()
    (template / "__pycache__" / "app.pyc").write_bytes(b"x")
    assert sorted(read_template(template)) == ["README.md", *PAGE]


def test_a_package_that_the_template_includes_is_there_as_it_is(template: Path) -> None:
    files = read_template(template)

    assert len(ANSWERING) > 5
    assert {path.name: files[f"answering/{path.name}"] for path in ANSWERING} == {
        path.name: path.read_bytes() for path in ANSWERING
    }


@pytest.mark.parametrize(("content", "problem"), [
    ('packages = ["no_such_package"]', "no package no_such_package is installed"),
    ('packages = ["no_such.package"]', "no package no_such.package is installed"),
    ('packages = ["json.decoder"]', "no package json.decoder is installed"),
    ('packages = [1]', ""),
    ('packages = 1', ""),
    ('packages', ""),
])  # fmt: skip
def test_a_package_that_is_not_there_is_named_before_any_training(template: Path, content: str, problem: str) -> None:
    (template / "include.toml").write_text(content)
    with pytest.raises(SpaceTemplateError, match=rf"include\.toml of a Space template is TOML.* Received: .*{problem}"):
        check_template(template)


def test_the_projects_own_template_is_complete_and_pins_what_the_project_runs() -> None:
    check_template(TEMPLATE)
    rendered = {path: content.decode() for path, content in render(read_template(TEMPLATE), VALUES).items()}
    settings = front_matter(rendered["README.md"])
    lock = (TEMPLATE.parent / "uv.lock").read_text()

    assert settings["models"] == ["me/model"]
    assert settings["python_version"] == "3.11"
    pins = dict(line.split("==") for line in rendered["requirements.txt"].split())
    assert pins["gradio"] == settings["sdk_version"]
    for name, version in pins.items():
        locked = name.replace("_", "-")
        assert f'name = "{locked}"\nversion = "{version}"' in lock, f"{name}=={version} is not the locked one"
    for name in PLACEHOLDERS:
        assert VALUES[name] in rendered["app.py"]


def test_the_docker_form_has_the_same_page_in_an_image_that_does_not_run_as_root() -> None:
    check_template(TEMPLATE, sdk="docker")
    gradio = render(read_template(TEMPLATE, sdk="gradio"), VALUES)
    docker = render(read_template(TEMPLATE, sdk="docker"), VALUES)
    settings = front_matter(docker["README.md"].decode())
    lines = docker["Dockerfile"].decode().splitlines()

    assert sorted(gradio) == ["README.md", *PAGE]
    assert sorted(docker) == ["Dockerfile", "README.md", *PAGE]
    assert [docker[path] for path in PAGE] == [gradio[path] for path in PAGE]
    assert (settings["sdk"], settings["app_port"], settings["models"]) == ("docker", 7860, ["me/model"])
    assert not {"sdk_version", "python_version", "app_file"} & set(settings)
    assert lines.index("USER user") < min(i for i, line in enumerate(lines) if line.startswith("RUN pip"))
    assert [line for line in lines if line.startswith("USER")] == ["USER user"]
    assert "    GRADIO_SERVER_PORT=7860" in lines
    assert "EXPOSE 7860" in lines
    assert space_sdk(TEMPLATE, sdk="docker") == "docker"
    assert space_sdk(TEMPLATE) == "gradio"


def test_an_sdk_that_the_template_has_no_form_for_is_refused(template: Path) -> None:
    shutil.rmtree(template / "docker")
    message = "README.md names sdk gradio, but docker is asked for: put a docker/README.md into the template"
    with pytest.raises(SpaceTemplateError, match=re.escape(message)):
        check_template(template, sdk="docker")


@pytest.fixture
def template(tmp_path: Path) -> Path:
    folder = tmp_path / "space"
    shutil.copytree(TEMPLATE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder
