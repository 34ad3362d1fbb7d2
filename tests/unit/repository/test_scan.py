import subprocess
from pathlib import Path

import pytest

from nested_ray.errors import ConfigError, SourceNotFound
from nested_ray.repository.scan import scan, scan_folder


def write(root: Path, texts: dict[str, str | bytes]) -> Path:
    for path, text in texts.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(text.encode() if isinstance(text, str) else text)
    return root


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "-C", root, *identity, *arguments], check=True, capture_output=True)


def paths(root: Path, **settings: object) -> list[str]:
    return [file.path for file in scan_folder(root, **settings)]  # type: ignore[arg-type]


FILES: dict[str, str | bytes] = {
    "a.py": "x = 1\r\n",
    "copy.py": "x = 1\r\n",
    "generated.py": "# @generated\nx = 1\n",
    "src/CommonModules/Имя/Ext/Module.bsl": b"\xef\xbb\xbf\xd0\x90 = 1;",
    "src/CommonModules/Имя.xml": "<MetaDataObject/>",
    "src/Catalogs/Имя/Templates/Макет/Ext/Template.xml": "<a/>",
    "bin.py": b"\0\1",
    "notes.txt": "text",
    "tool": "#!/usr/bin/env python3\n",
}


def test_a_folder_gives_sources_metadata_and_why_files_are_skipped(tmp_path: Path):
    found = scan(write(tmp_path, FILES | {"big.py": "x" * 101}), max_file_bytes=100)
    assert [(file.path, file.language, file.text) for file in found.files] == [
        ("a.py", "python", "x = 1\n"),
        ("copy.py", "python", "x = 1\n"),
        ("generated.py", "python", "# @generated\nx = 1\n"),
        ("src/CommonModules/Имя/Ext/Module.bsl", "bsl", "А = 1;"),
        ("tool", "python", "#!/usr/bin/env python3\n"),
    ]
    assert [each.path for each in found.metadata] == ["src/CommonModules/Имя.xml"]
    assert [(each.path, each.reason) for each in found.skipped] == [
        ("big.py", "size"),
        ("bin.py", "binary"),
    ]


IGNORED: dict[str, str | bytes] = {
    ".gitignore": "*.gen.py\nbuild/\n",
    "a.gen.py": "",
    "build/b.py": "",
    "sub/.gitignore": "!kept.gen.py\n/own.py\n",
    "sub/kept.gen.py": "",
    "sub/own.py": "",
    "sub/deep/own.py": "",
}


@pytest.mark.parametrize("is_git", [False, True])
def test_what_gitignore_names_is_left_out(tmp_path: Path, is_git: bool):
    write(tmp_path, IGNORED)
    if is_git:
        git(tmp_path, "init", "-q")
    assert paths(tmp_path) == ["sub/deep/own.py", "sub/kept.gen.py"]


def test_a_folder_that_is_ignored_itself_is_read_when_asked_for(tmp_path: Path):
    write(tmp_path, IGNORED)
    git(tmp_path, "init", "-q")
    assert paths(tmp_path / "build") == ["b.py"]


def test_a_revision_is_read_without_what_was_changed_since(tmp_path: Path):
    write(tmp_path, {"a.py": "x = 1\n", "b.py": "y = 1\n"})
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    write(tmp_path, {"a.py": "x = 2\n", "new.py": ""})
    (tmp_path / "b.py").unlink()
    assert [file.text for file in scan_folder(tmp_path, revision="HEAD")] == ["x = 1\n", "y = 1\n"]
    assert [file.text for file in scan_folder(tmp_path)] == ["x = 2\n", ""]


def test_patterns_choose_files(tmp_path: Path):
    write(tmp_path, FILES)
    assert paths(tmp_path, include=["*.bsl"]) == ["src/CommonModules/Имя/Ext/Module.bsl"]
    assert paths(tmp_path, include=["*.py"], exclude=["g*"]) == ["a.py", "copy.py"]
    with pytest.raises(ConfigError, match="patterns are written as in"):
        paths(tmp_path, exclude=["!"])


def test_what_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(SourceNotFound, match="does not exist"):
        scan_folder(tmp_path / "none")
    with pytest.raises(SourceNotFound, match="not a git repository"):
        scan_folder(tmp_path, revision="HEAD")
