import os
import subprocess
from pathlib import Path

import pytest

from nested_ray.config.corpus import FolderSource, GitSource, PackageSource
from nested_ray.corpus import git as git_module
from nested_ray.corpus.sources import open_source, parse_source
from nested_ray.errors import SourceNotFound


def contents(source):
    with open_source(source).listing() as files:
        return {file.path: file.read() for file in files}


def folder(path):
    return FolderSource(path=str(path))


def test_folder_is_listed_in_order_without_build_folders(write):
    root = write(
        {
            "b.py": "1", "a/z.py": "2", "a-b.py": "3", ".git/x.py": "no", "n/node_modules/x.py": "no",
            "__pycache__/x.py": "no", "myenv/pyvenv.cfg": "", "myenv/lib/x.py": "no",
        }
    )  # fmt: skip
    assert list(contents(folder(root))) == ["a-b.py", "a/z.py", "b.py"]


def test_one_file_is_a_source_too(write):
    root = write({"a/z.py": "2", "b.py": "3"})
    assert contents(folder(root / "a" / "z.py")) == {"z.py": b"2"}


def test_links_are_not_followed_out_of_the_folder(write, tmp_path):
    root = write({"a.py": "1"})
    (tmp_path / "secret.py").write_text("outside")
    (root / "out.py").symlink_to(tmp_path / "secret.py")
    (root / "in.py").symlink_to(root / "a.py")
    (root / "loop").symlink_to(root)
    with open_source(folder(root)).listing() as files:
        by_path = {file.path: file for file in files}
    assert set(by_path) == {"a.py", "out.py"}
    with pytest.raises(OSError, match="link to outside"):
        by_path["out.py"].read()


def test_pipes_are_left_alone(write):
    root = write({"a.py": "1"})
    os.mkfifo(root / "pipe.py")
    assert list(contents(folder(root))) == ["a.py"]


def test_names_that_are_not_utf8_are_shown_escaped(write):
    root = write({"a.py": "1"})
    Path(os.fsdecode(os.fsencode(root) + b"/\xff.py")).write_text("2")
    assert set(contents(folder(root))) == {"a.py", "\\xff.py"}


def test_missing_folder_says_where_it_looked(tmp_path):
    with pytest.raises(SourceNotFound, match=r"does not exist \(looked at /.*give the path"):
        open_source(folder(tmp_path / "nope"))


@pytest.fixture
def repository(write, git):
    root = write({"Модуль.bsl": "первый", "pkg/a b.py": "one\r\n", 'pkg/"q".py': "two"})
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "first")
    git(root, "tag", "v1")
    (root / "pkg" / "a b.py").write_text("changed")
    (root / "link.py").symlink_to("/etc/passwd")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "second")
    (root / "untracked.py").write_text("no")
    return root


def test_git_revision_is_read_as_committed(repository):
    at_tag = contents(GitSource(path=str(repository), revision="v1"))
    assert at_tag == {
        "Модуль.bsl": "первый".encode(), "pkg/a b.py": b"one\r\n", 'pkg/"q".py': b"two",
    }  # fmt: skip
    assert list(at_tag) == sorted(at_tag)
    at_head = contents(GitSource(path=str(repository)))
    assert at_head["pkg/a b.py"] == b"changed"
    assert "link.py" not in at_head and "untracked.py" not in at_head


def test_git_source_is_named_by_its_commit(repository, git):
    commit = git(repository, "rev-parse", "v1").strip()
    name = open_source(GitSource(path=str(repository), revision="v1")).name
    assert name == f"git:{repository}@{commit[:12]}"


def test_a_commit_range_gives_what_is_new_as_it_is_at_its_end(repository, git):
    git(repository, "mv", 'pkg/"q".py', "pkg/moved.py")
    git(repository, "commit", "-q", "-m", "third")
    (repository / "pkg" / "a b.py").write_text("changed in the folder only")
    old, new = (git(repository, "rev-parse", name).strip()[:12] for name in ("v1", "HEAD"))
    source = parse_source(f"git:{repository}@v1..HEAD")
    assert contents(source) == {"pkg/a b.py": b"changed"}  # what was only moved is known
    assert open_source(source).name == f"git:{repository}@{old}..{new}"
    assert parse_source(f"git:{repository}@v1..") == source


def test_a_commit_range_keeps_the_licence_of_its_files(repository, git):
    (repository / "LICENSE").write_text("ISC")
    (repository / "licenses.py").write_text("code, unchanged")
    git(repository, "add", "LICENSE", "licenses.py")
    git(repository, "commit", "-q", "-m", "licence")
    git(repository, "tag", "v2")
    (repository / "new.py").write_text("new")
    git(repository, "add", "new.py")
    git(repository, "commit", "-q", "-m", "new")
    source = parse_source(f"git:{repository}@v2..")
    assert contents(source) == {"LICENSE": b"ISC", "new.py": b"new"}


@pytest.mark.parametrize("commits", ["v1...HEAD", "..HEAD"])
def test_other_ranges_are_refused(repository, commits):
    with pytest.raises(SourceNotFound, match=r"as git:PATH@OLD\.\.NEW"):
        parse_source(f"git:{repository}@{commits}")


def test_a_range_from_an_unknown_commit_names_those_that_exist(repository):
    with pytest.raises(SourceNotFound, match=r"'nope' is not in .*; it has main, v1"):
        open_source(parse_source(f"git:{repository}@nope..HEAD"))


def test_subfolder_of_a_repository_gives_its_files_only(repository):
    paths = set(contents(GitSource(path=str(repository / "pkg"))))
    assert paths == {"a b.py", '"q".py'}


def test_lost_object_is_an_error_of_that_file_only(repository, git):
    oid = git(repository, "rev-parse", "HEAD:Модуль.bsl").strip()
    blob = repository / ".git" / "objects" / oid[:2] / oid[2:]
    blob.chmod(0o600)
    blob.unlink()
    with open_source(GitSource(path=str(repository))).listing() as files:
        by_path = {file.path: file for file in files}
        with pytest.raises(OSError, match="missing from this clone"):
            by_path["Модуль.bsl"].read()
        assert by_path["pkg/a b.py"].read() == b"changed"


@pytest.mark.parametrize("revision", ["nope", "-x", "--all", "", "v1^{blob}"])
def test_unknown_revision_names_those_that_exist(repository, revision):
    with pytest.raises(SourceNotFound, match=r"is not in .*; it has main, v1"):
        open_source(GitSource(path=str(repository), revision=revision))


def test_repository_without_commits_says_so(tmp_path, git):
    git(tmp_path, "init", "-q")
    with pytest.raises(SourceNotFound, match="has no commits yet"):
        open_source(GitSource(path=str(tmp_path)))


def test_folder_without_repository_says_so(tmp_path):
    with pytest.raises(SourceNotFound, match="is not a git repository"):
        open_source(GitSource(path=str(tmp_path)))


def test_missing_git_says_so(tmp_path, monkeypatch):
    def no_git(*arguments, **options):
        raise FileNotFoundError("git")

    monkeypatch.setattr(git_module.subprocess, "run", no_git)
    with pytest.raises(SourceNotFound, match="git is not installed"):
        open_source(GitSource(path=str(tmp_path)))


def test_git_process_ends_with_the_listing(repository):
    source = open_source(GitSource(path=str(repository)))
    with source.listing() as files:
        files[0].read()
    with pytest.raises((OSError, ValueError)):
        files[0].read()
    children = subprocess.run(
        ["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True
    )
    assert b"cat-file" not in children.stdout


def test_standard_library_is_read_without_what_is_installed_in_it():
    import asyncio.tasks

    files = contents_of_names(PackageSource(name="stdlib"))
    assert files["asyncio/tasks.py"]() == Path(asyncio.tasks.__file__).read_bytes()
    assert not [path for path in files if "site-packages/" in path or "__pycache__/" in path]


def contents_of_names(source):
    with open_source(source).listing() as files:
        return {file.path: file.read for file in files}


def test_package_paths_begin_with_the_package():
    import typer

    files = contents_of_names(PackageSource(name="typer"))
    assert files["typer/__init__.py"]() == Path(typer.__file__).read_bytes()
    assert all(path.startswith("typer/") for path in files)


def test_single_module_is_a_package_of_one_file():
    assert list(contents_of_names(PackageSource(name="typing_extensions"))) == [
        "typing_extensions.py"
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package_here", "is not installed in"),
        ("a.b", "top-level package"),
        ("", "top-level package"),
        ("_thread", "has no source files here: it is built-in"),
    ],
)
def test_package_that_cannot_be_read_says_why(name, message):
    with pytest.raises(SourceNotFound, match=message):
        open_source(PackageSource(name=name))


def test_sources_as_typed(tmp_path):
    assert parse_source("src") == FolderSource(path="src")
    assert parse_source("folder:src") == FolderSource(path="src")
    assert parse_source("package:stdlib") == PackageSource(name="stdlib")
    assert parse_source("git:.") == GitSource(path=".", revision="HEAD")
    assert parse_source("git:/r@feature/x") == GitSource(path="/r", revision="feature/x")
    odd = tmp_path / "a@b"
    odd.mkdir()
    assert parse_source(f"git:{odd}") == GitSource(path=str(odd), revision="HEAD")
    assert parse_source(f"git:{odd}@v1") == GitSource(path=str(odd), revision="v1")
