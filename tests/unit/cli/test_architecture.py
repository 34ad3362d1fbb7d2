"""`nested-ray architecture` as a user runs it."""

from __future__ import annotations

import json
import subprocess
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from nested_ray.cli.main import app
from nested_ray.errors import ConfigError, NoUsableFiles, SourceNotFound


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setenv("NESTED_RAY_HOME", str(tmp_path / "home"))
    root = tmp_path / "project"
    for path, text in {
        "web/__init__.py": "",
        "web/page.py": "from core.model import load\n\n\ndef show():\n    return load()\n",
        "core/__init__.py": "",
        "core/model.py": "def load():\n    import web.page\n\n    return web.page\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def run(*arguments):
    result = CliRunner().invoke(app, ["architecture", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_text_names_layers_circles_and_findings(project):
    text = run(project).stdout
    assert "4 files" in text and "1 tangles" in text
    assert "core/model.py" in text and "[architecture/dependency-cycle]" in text


def test_json_is_machine_readable_and_filtered(project):
    values = json.loads(run(project, "--json", "--rules", "architecture/dependency-*").stdout)
    assert [f["rule"] for f in values["findings"]] == ["architecture/dependency-cycle"]
    assert json.loads(run(project, "--json", "--rules", "none").stdout)["findings"] == []


def test_declared_layers_are_read_from_the_root(project):
    (project / "nested-ray.yaml").write_text(
        "architecture:\n  layers:\n    - {name: web, paths: [web/]}\n    - {name: core, paths: [core/]}\n"
    )
    values = json.loads(run(project, "--json").stdout)
    assert values["are_layers_declared"] is True
    breaks = [f for f in values["findings"] if f["rule"] == "architecture/layer-break"]
    assert {(f["path"], f["line"]) for f in breaks} == {("core/model.py", 2)}


def test_pictures_are_written(project, tmp_path):
    run(project, "--svg", tmp_path / "a.svg", "--html", tmp_path / "a.html")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
    assert (tmp_path / "a.html").read_text().startswith("<!doctype html>")
    assert run(project, "--mermaid").stdout.startswith("flowchart TD\n")


def test_impact_by_name_and_by_difference(project):
    values = json.loads(run(project, "--impact", "core.model.load", "--json").stdout)
    assert [each["path"] for each in values["impacted"]] == ["web/page.py"]
    git = ["git", "-C", str(project), "-c", "user.name=n", "-c", "user.email=e@example.com"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "m"]):
        subprocess.run([*git, *command], check=True)
    (project / "core/model.py").write_text("def load():\n    return 2\n")
    assert "1  web/page.py" in run(project, "--diff", "HEAD").stdout


def test_what_cannot_be_done_is_said(project, tmp_path):
    with pytest.raises(SourceNotFound, match="no folder"):
        run(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="no file, module, object or definition"):
        run(project, "--impact", "nothing.here")
    with pytest.raises(NoUsableFiles, match="no layout to learn"):
        run(project, "--place", project / "web/page.py")
    (tmp_path / "empty").mkdir()
    with pytest.raises(NoUsableFiles, match="no Python or 1C file"):
        run(tmp_path / "empty")
