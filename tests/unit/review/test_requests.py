"""Trees, ranges of git, the index, diffs and single texts, on small repositories made here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from nested_ray.errors import InvalidRequest, SourceNotFound
from nested_ray.review import requests
from nested_ray.review.requests import Request, within

NAMES = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")


def git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *NAMES, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def write(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_py", ".py").replace("_bsl", ".bsl")
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(text, encoding="utf-8")


LIB = "import os\n\n\ndef read(path):\n    with open(path) as file:\n        return file.read()\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """One commit of lib.py, src/app.py and Модуль.bsl."""
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, lib_py=LIB, src__app_py="a = 1\nb = 2\n", Модуль_bsl="А = 1;\n")
    (tmp_path / "notes.txt").write_text("nothing\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def texts(request: Request) -> dict[str, str]:
    return {file.path: file.text for file in request.files}


def changed(request: Request) -> dict[str, set[int]]:
    assert request.change is not None
    return {path: set(lines) for path, lines in request.change.lines.items()}


def test_a_folder_is_reviewed_in_the_light_of_its_repository(root):
    request = requests.request_tree([root / "src"])
    assert request.root == root
    assert set(texts(request)) == {"lib.py", "src/app.py", "Модуль.bsl"}
    assert request.paths == {"src/app.py"}


def test_outside_of_a_repository_the_named_files_are_all_there_is(tmp_path):
    write(tmp_path, a_py="a\n", b__c_py="c\n", d__e_py="e\n")
    request = requests.request_tree([tmp_path / "a.py", tmp_path / "b"])
    assert request.root == tmp_path
    assert set(texts(request)) == {"a.py", "b/c.py"}


def test_what_git_ignores_is_reviewed_when_it_is_named(root):
    write(root, build__x_py="x = 1\n")
    (root / ".gitignore").write_text("build/\n")
    assert "build/x.py" not in texts(requests.request_tree([root]))
    assert texts(requests.request_tree([root / "build"])) == {"x.py": "x = 1\n"}


def test_files_that_are_no_text_are_named(root):
    (root / "src" / "data.py").write_bytes(b"a\0b")
    request = requests.request_tree([root / "src"])
    assert [(each.path, each.reason.partition(":")[0]) for each in request.unread] == [
        ("src/data.py", "binary")
    ]


@pytest.mark.parametrize("name", ["gone", "notes.txt"])
def test_a_place_without_code_is_refused(root, name):
    with pytest.raises(SourceNotFound, match=name):
        requests.request_tree([root / name])


def test_files_as_they_lie_against_a_revision(root):
    write(root, lib_py=LIB + "\nx = 1\n", new_py="n = 1\n")
    (root / "src" / "app.py").unlink()
    request = requests.request_range(root, "HEAD")
    # what stands after the last line end counts as a line
    assert changed(request) == {"lib.py": {8, 9}, "new.py": {1, 2}}
    assert request.change is not None and request.change.removed == {"src/app.py"}


def test_between_two_revisions_and_since_they_parted(root):
    git(root, "checkout", "-q", "-b", "side")
    git(root, "mv", "lib.py", "core.py")
    write(root, Модуль_bsl="А = 1;\nБ = 2;\n")
    git(root, "commit", "-q", "-a", "-m", "side")
    git(root, "checkout", "-q", "main")
    write(root, src__app_py="a = 1\nb = 3\n")
    git(root, "commit", "-q", "-a", "-m", "main")
    write(root, src__app_py="not committed\n")

    request = requests.request_range(root, "main..side")
    assert changed(request) == {"core.py": set(), "src/app.py": {2}, "Модуль.bsl": {2}}
    assert request.change is not None and request.change.renamed == {"core.py": "lib.py"}
    assert texts(request)["src/app.py"] == "a = 1\nb = 2\n"
    assert changed(requests.request_range(root, "main...side")) == {
        "core.py": set(),
        "Модуль.bsl": {2},
    }
    assert changed(requests.request_range(root, "HEAD~1..")) == {"src/app.py": {2}}


@pytest.mark.parametrize("asked", ["nowhere", "HEAD..nowhere", "--output=x", "-x..HEAD"])
def test_a_revision_that_is_not_there_is_refused(root, asked):
    with pytest.raises(SourceNotFound):
        requests.request_range(root, asked)
    assert not (root / "x").exists()


def test_only_what_is_staged(root):
    write(root, src__app_py="a = 1\nb = 5\n")
    git(root, "add", "src")
    write(root, src__app_py="later\n", lib_py="later\n", Новый_bsl="А = 1;\n")
    request = requests.request_staged(root)
    assert changed(request) == {"src/app.py": {2}}
    assert texts(request)["src/app.py"] == "a = 1\nb = 5\n"


def test_a_hook_is_told_of_another_index(root, monkeypatch, tmp_path_factory):
    write(root, src__app_py="a = 1\nb = 5\n")
    (root / ".git" / "next-index").write_bytes((root / ".git" / "index").read_bytes())
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/next-index")
    git(root, "add", "src")
    assert changed(requests.request_staged(root)) == {"src/app.py": {2}}
    # another repository's index says nothing of this one
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path_factory.mktemp("other") / "index"))
    assert changed(requests.request_staged(root)) == {}


def test_settings_of_a_repository_start_no_program(root, tmp_path):
    trap = f"touch {tmp_path}/trapped; cat"
    for key in (
        "diff.external",
        "core.fsmonitor",
        "filter.t.clean",
        "filter.t.smudge",
        "diff.t.textconv",
    ):
        git(root, "config", key, trap)
    (root / ".gitattributes").write_text("* filter=t diff=t\n")
    write(root, src__app_py="a = 1\nb = 5\n")
    requests.request_range(root, "HEAD")
    requests.request_range(root, "HEAD..HEAD")
    requests.request_staged(root)
    assert not (tmp_path / "trapped").exists()


@pytest.mark.parametrize("is_applied", [True, False])
def test_a_diff_may_be_applied_already_or_not_yet(root, is_applied):
    write(root, src__app_py="a = 1\nb = 5\n", new_py="n = 1\n", Модуль_bsl="А = 2;\n")
    (root / "lib.py").unlink()
    git(root, "add", "-A")
    diff = git(root, "-c", "core.quotepath=on", "diff", "--cached")
    if not is_applied:
        git(root, "reset", "-q", "--hard")
    request = requests.request_patch(root, diff)
    assert changed(request) == {"src/app.py": {2}, "new.py": {1, 2}, "Модуль.bsl": {1}}
    assert texts(request)["src/app.py"] == "a = 1\nb = 5\n"
    assert request.change is not None
    before = {file.path: file.text for file in request.change.base or ()}
    assert before == {"lib.py": LIB, "src/app.py": "a = 1\nb = 2\n", "Модуль.bsl": "А = 1;\n"}


def test_a_renaming_diff(root):
    git(root, "mv", "lib.py", "core.py")
    write(root, core_py=LIB + "x = 1\n")
    git(root, "add", ".")
    diff = git(root, "diff", "--cached", "-M")
    assert "rename from lib.py" in diff
    assert changed(requests.request_patch(root, diff)) == {"core.py": {7}}


def test_a_diff_that_fits_neither_way_is_refused(root):
    diff = "--- a/lib.py\n+++ b/lib.py\n@@ -1 +1 @@\n-other\n+text\n"
    with pytest.raises(InvalidRequest, match=r"lib\.py"):
        requests.request_patch(root, diff)


def test_a_diff_reaches_no_file_outside(root):
    diff = "--- a/../secret.py\n+++ b/../secret.py\n@@ -1 +1 @@\n-a\n+b\n"
    (root.parent / "secret.py").write_text("a\n")
    with pytest.raises(InvalidRequest):
        requests.request_patch(root, diff)


def test_the_text_of_one_file_stands_in_for_it(root):
    request = requests.request_text(root, root / "src" / "app.py", "ж = 1\r\n".encode())
    assert request.paths == {"src/app.py"}
    assert texts(request)["src/app.py"] == "ж = 1\n"
    assert texts(request)["lib.py"] == LIB


def test_a_text_elsewhere_stands_alone(root, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    request = requests.request_text(None, elsewhere / "x.py", b"x = 1\n")
    assert texts(request) == {"x.py": "x = 1\n"}


@pytest.mark.parametrize(("name", "data"), [("x.txt", b"x"), ("x.py", b"\0")])
def test_a_text_that_is_none_is_refused(root, name, data):
    with pytest.raises(InvalidRequest, match=name):
        requests.request_text(root, root / name, data)


def test_a_request_is_confined_to_places(root):
    write(root, lib_py="x = 1\n", src__app_py="y = 1\n")
    request = within(requests.request_range(root, "HEAD"), [root / "src"])
    assert request.paths == {"src/app.py"}
    assert within(request, []) is request
