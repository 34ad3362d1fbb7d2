import json

import pytest
from typer.testing import CliRunner

from nested_ray.cli.corpus import app
from nested_ray.errors import NoUsableFiles

runner = CliRunner()


@pytest.fixture
def root(write, function_text):
    return write(
        {f"f{number}.py": function_text(number) for number in range(25)} | {"b.py": b"\x00"}
    )


def test_check_prints_the_report(root):
    result = runner.invoke(app, ["check", str(root)])
    assert result.exit_code == 0, result.output
    assert "25 files (python 25)" in result.output
    assert "b.py" in result.output


def test_check_prints_json_alone_on_stdout(root):
    result = runner.invoke(app, ["check", str(root), "--json"])
    report = json.loads(result.stdout)
    assert report["files"] == 25
    assert report["refused"][0]["reason"] == "binary"


def test_filters_come_from_the_config_and_sources_from_the_command_line(root, tmp_path):
    config = tmp_path / "run.yaml"
    config.write_text(
        "name: x\n"
        "corpus: {sources: [{type: folder, path: /nowhere}], filters: {exclude: ['f1*.py']}}\n"
        "levels: [{name: syntax, kind: syntax, weight: 1}]\n"
    )
    result = runner.invoke(app, ["check", str(root), "--config", str(config), "--json"])
    refused = {group["reason"]: group["files"] for group in json.loads(result.stdout)["refused"]}
    assert refused == {"binary": 1, "excluded": 11}


def test_nothing_to_check_is_a_usage_error():
    result = runner.invoke(app, ["check"])
    assert result.exit_code == 2
    assert "name a source" in result.output


def test_unusable_code_travels_as_an_error_of_ours(tmp_path):
    result = runner.invoke(app, ["check", str(tmp_path)])
    assert isinstance(result.exception, NoUsableFiles)
