"""`nested-ray review` as it is typed: what is said, where it goes and the exit code."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nested_ray.cli.main import app
from nested_ray.errors import ConfigError

GOOD = "def double(value):\n    return 2 * value\n"
BROKEN = GOOD + "\n\ndef half(value:\n    return value / 2\n"
TOOLS = ("--levels", "syntax")


def git(root: Path, *arguments: str) -> None:
    names = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(root), *names, *arguments], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one good file, as the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NESTED_RAY_HOME", raising=False)
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "a.py").write_text(GOOD)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def run(*arguments: str, stdin: bytes | str = "") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["review", *arguments], input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


def test_code_without_faults_gives_zero_and_says_so(root):
    assert run(*TOOLS) == (0, "nothing found · 1 file reviewed (syntax)\n")


def test_a_fault_gives_one_with_its_line(root):
    (root / "a.py").write_text(BROKEN)
    code, text = run(*TOOLS, "--diff", "HEAD")
    assert code == 1
    assert "a.py:" in text and "[syntax/invalid-text]" in text and "def half(value:" in text
    assert run(*TOOLS, "--fail-on", "never")[0] == 0


def test_a_fault_that_was_there_before_is_not_the_changes(root):
    (root / "b.py").write_text(BROKEN)
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "broken")
    (root / "a.py").write_text(GOOD + "x = 1\n")
    code, text = run(*TOOLS, "--diff", "HEAD")
    assert (code, text.splitlines()[0]) == (0, "nothing found · 1 file reviewed (syntax)")
    assert run(*TOOLS)[0] == 1


def test_machines_get_what_they_asked_for(root):
    (root / "a.py").write_text(BROKEN)
    code, text = run(*TOOLS, "--json")
    assert (code, json.loads(text)["findings"][0]["rule"]) == (1, "syntax/invalid-text")
    code, text = run(*TOOLS, "--format", "sarif", "--output", "out/review.sarif")
    assert (code, text) == (1, "")
    assert json.loads((root / "out" / "review.sarif").read_text())["version"] == "2.1.0"


def test_a_text_or_a_diff_on_stdin(root):
    assert run(*TOOLS, "--stdin-filename", "a.py", stdin=BROKEN)[0] == 1
    (root / "a.py").write_text(BROKEN)
    diff = subprocess.run(["git", "diff"], cwd=root, check=True, capture_output=True).stdout
    assert run(*TOOLS, "--stdin", stdin=diff)[0] == 1
    git(root, "checkout", "a.py")
    assert run(*TOOLS, "--stdin", stdin=diff)[0] == 1


def test_only_what_is_staged_fails_a_commit(root):
    (root / "a.py").write_text(BROKEN)
    assert run(*TOOLS, "--staged")[0] == 0
    git(root, "add", ".")
    assert run(*TOOLS, "--staged")[0] == 1


def test_a_baseline_makes_what_is_found_known(root):
    (root / "a.py").write_text(BROKEN)
    assert run(*TOOLS, "--write-baseline", "known.json") == (0, "")
    (root / "a.py").write_text("import os\n" + BROKEN)
    code, text = run(*TOOLS, "--baseline", "known.json")
    assert code == 0
    assert "1 in the baseline" in text
    (root / "nested-ray.yaml").write_text("baseline: known.json\nlevels: [syntax]\n")
    assert run()[0] == 0


def test_settings_come_from_the_repository_that_is_reviewed(root):
    (root / "a.py").write_text(BROKEN)
    (root / "nested-ray.yaml").write_text("levels: [syntax]\nexclude: [a.py]\n")
    (root / "src").mkdir()
    assert run(str(root / "a.py"))[0] == 0
    assert run("--set", "exclude=[]")[0] == 1


def test_the_cache_stays_out_of_git(root):
    run(*TOOLS)
    assert (root / ".nested-ray" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("gone.py",), "gone.py"),
        (("--diff", "nowhere"), "nowhere"),
        (("--set", "min_confidence=2"), "min_confidence"),
        (("--levels", "spelling"), "levels"),
        (("--config", "gone.yaml"), "gone.yaml"),
        (("--baseline", "gone.json"), "gone.json"),
        ((*TOOLS, "--explain", "syntax/nothing"), "syntax/nothing"),
        (("--stdin",), "no unified diff"),
        (("--nest", "@3"), "NEST@VERSION"),
    ],
)
def test_what_cannot_be_carried_out_is_a_clear_error(root, arguments, says):
    # main() turns every ConfigError into exit code 2
    with pytest.raises(ConfigError, match=says):
        run(*arguments, stdin="words\n")


@pytest.mark.parametrize(
    "arguments",
    [("--diff", "HEAD", "--staged"), ("--staged", "--write-baseline", "x"), ("--format", "xml")],
)
def test_options_that_do_not_go_together_are_refused(root, arguments):
    assert run(*arguments)[0] == 2


def test_rules_are_listed_and_explained(root):
    code, text = run("--list-rules", "--json", "--levels", "syntax")
    assert code == 0
    assert {"syntax/invalid-text", "review/unused-suppression"} <= {
        each["id"] for each in json.loads(text)
    }
    assert "not a valid file" in run("--explain", "syntax/invalid-text")[1]
