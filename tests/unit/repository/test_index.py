from pathlib import Path

import pytest

from nested_ray.languages import get_language
from nested_ray.repository.base import SourceFile
from nested_ray.repository.cache import FILE
from nested_ray.repository.index import open_repository

PYTHON = {
    "pkg/__init__.py": "from .shapes import Circle as Round\nfrom .tools import *\n",
    "pkg/shapes.py": "class Shape:\n    def area(self):\n        return 0\n\n\nclass Circle(Shape):\n    pass\n",
    "pkg/tools.py": "LIMIT = 3\n\n\ndef scale(x):\n    return x * LIMIT\n",
}


def sources(texts: dict[str, str]) -> list[SourceFile]:
    return [
        SourceFile(path, "bsl" if path.endswith((".bsl", ".os")) else "python", text)
        for path, text in texts.items()
    ]


def test_files_are_in_order_of_path_and_the_later_of_one_path_counts():
    files = [*sources({"b.py": "x = 1\n", "a.py": ""}), SourceFile("b.py", "python", "y = 2\n")]
    repository = open_repository(files)
    assert list(repository.files) == ["a.py", "b.py"]
    assert repository.files["b.py"].text == "y = 2\n"


@pytest.mark.parametrize("cached", [False, True])
def test_outlines_are_the_language_s_own(tmp_path: Path, cached: bool):
    files = sources(
        PYTHON | {"CommonModules/А/Ext/Module.bsl": "Функция Б() Экспорт\nВ.Г(Д);\nКонецФункции"}
    )
    for _ in range(2):
        repository = open_repository(files, cache_dir=tmp_path if cached else None)
        for path, file in repository.files.items():
            assert repository.outline(path) == get_language(file.language).outline(file.text)


def test_only_changed_files_are_read_again(tmp_path: Path):
    assert open_repository(sources(PYTHON), cache_dir=tmp_path).num_read == 3
    assert open_repository(sources(PYTHON), cache_dir=tmp_path).num_read == 0
    changed = PYTHON | {"pkg/tools.py": "def scale(y):\n    return y\n"}
    assert open_repository(sources(changed), cache_dir=tmp_path).num_read == 1


@pytest.mark.parametrize("damage", [b"", b"not a database", b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_cache_is_begun_anew(tmp_path: Path, damage: bytes):
    before = open_repository(sources(PYTHON), cache_dir=tmp_path).links
    (tmp_path / FILE).write_bytes(damage)
    assert open_repository(sources(PYTHON), cache_dir=tmp_path).links == before
    assert open_repository(sources(PYTHON), cache_dir=tmp_path).num_read == 0
