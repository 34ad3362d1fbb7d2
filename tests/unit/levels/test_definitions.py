import json
from pathlib import Path

import pytest

from nested_ray.errors import ConfigError
from nested_ray.languages import get_language
from nested_ray.languages.base import Import, Reference, Span
from nested_ray.levels import DefinitionIndex, Place, index_definitions
from nested_ray.levels.base import Place as BasePlace
from nested_ray.levels.names import NameResolver, bindings_of
from nested_ray.levels.pieces import ImportText
from nested_ray.levels.reader import FileReader
from nested_ray.repository.definitions import MAX_BODY_CHARS, module_names


class Document:
    def __init__(self, path: str, text: str) -> None:
        self.source, self.path, self.text = "folder:test", path, text
        self.language = "bsl" if path.endswith((".bsl", ".os")) else "python"


SHOP = '''"""Shop."""
LIMIT = 10


def total(
    prices: list[float],
) -> float:
    """Sum of the prices.

    In roubles.
    """
    result = 0.0
    for price in prices:
        result += price
    return result


def _private():
    pass


class Basket:
    \'\'\'What is bought.\'\'\'

    def add(self, item):
        'Put one more in.'
        self.items.append(item)
'''
COMMON = """// Возвращает сумму.
Функция Сумма(Цены) Экспорт
\tВозврат 1;
КонецФункции

Процедура Внутренняя()
КонецПроцедуры
"""
DOCUMENTS = [
    Document("shop/basket.py", SHOP),
    Document("vendor/shop/basket.py", "def total(): ...\ndef rare_name(): ...\n"),
    Document("CommonModules/Расчёты/Ext/Module.bsl", COMMON),
    Document("Catalogs/Товары/Ext/ManagerModule.bsl", COMMON),
]
INDEX = index_definitions(DOCUMENTS)


def resolve(before: str, name: str, qualifier: str | None = None, path: str = "app/main.py"):
    language = "bsl" if path.endswith(".bsl") else "python"
    place = Place(path, language, before)
    view = FileReader(get_language).read(place)
    assert view is not None
    found = NameResolver(INDEX, view, place).resolve(Reference(name, qualifier, 0, is_call=True))
    return None if found is None else (found.path, found.parent, found.name)


def test_entries_hold_signature_documentation_and_the_first_body_lines():
    found = INDEX.in_module("shop.basket", "total", language="python", asking="app.py")
    assert found is not None
    assert found.signature == "def total(prices: list[float]) -> float"
    assert found.doc == "Sum of the prices."
    assert found.body.split("\n")[:3] == [
        "result = 0.0",
        "for price in prices:",
        "    result += price",
    ]
    assert len(found.body) <= MAX_BODY_CHARS


def test_single_line_docstrings_are_not_body():
    found = INDEX.in_module("basket", "add", language="python", asking="", parent="Basket")
    assert found is not None
    assert found.body == "self.items.append(item)"


def test_private_definitions_are_left_out():
    names = {entry.name for entry in INDEX.entries}
    assert {"total", "Basket", "add", "Сумма", "LIMIT"} <= names
    assert not names & {"_private", "Внутренняя"}


@pytest.mark.parametrize(
    ("before", "name", "qualifier", "expected"),
    [
        ("from shop.basket import total\n", "total", None, ("shop/basket.py", "", "total")),
        ("from shop.basket import total as t\n", "t", None, ("shop/basket.py", "", "total")),
        ("import shop.basket\n", "total", "shop.basket", ("shop/basket.py", "", "total")),
        ("import shop.basket as b\n", "total", "b", ("shop/basket.py", "", "total")),
        ("from shop import basket\n", "total", "basket", ("shop/basket.py", "", "total")),
        ("from shop.basket import Basket\n", "add", "Basket", ("shop/basket.py", "Basket", "add")),
        ("", "rare_name", None, ("vendor/shop/basket.py", "", "rare_name")),
        ("", "total", None, None),
        ("from numpy import rare_name\n", "rare_name", None, None),
        ("def rare_name():\n    pass\n\n", "rare_name", None, None),
        ("", "print", None, None),
    ],
)
def test_python_names_follow_imports(before, name, qualifier, expected):
    assert resolve(before, name, qualifier) == expected


def test_relative_imports_start_at_the_asking_file():
    found = resolve("from .basket import total\n", "total", path="shop/main.py")
    assert found == ("shop/basket.py", "", "total")
    found = resolve("from ..shop import basket\n", "total", "basket", path="app/main.py")
    assert found == ("shop/basket.py", "", "total")


def test_the_asking_file_is_never_the_answer():
    before = "from shop.basket import total\n"
    found = resolve(before, "total", path="shop/basket.py")
    assert found == ("vendor/shop/basket.py", "", "total")


def test_bsl_modules_are_known_by_name_in_any_case():
    path = "CommonModules/Иной/Ext/Module.bsl"
    expected = ("CommonModules/Расчёты/Ext/Module.bsl", "", "Сумма")
    assert resolve("", "СУММА", "расчёты", path=path) == expected
    manager = ("Catalogs/Товары/Ext/ManagerModule.bsl", "", "Сумма")
    assert resolve("", "сумма", "Справочники.Товары", path=path) == manager
    assert resolve("", "Сумма", path=path) is None  # two modules have it


@pytest.mark.parametrize(
    ("path", "language", "expected"),
    [
        ("a/b/c.py", "python", ["c", "b.c", "a.b.c"]),
        ("a/b/__init__.py", "python", ["b", "a.b"]),
        ("__init__.py", "python", []),
        ("CommonModules/Имя/Ext/Module.bsl", "bsl", ["Имя"]),
        ("CommonModules/Имя/Module.bsl", "bsl", ["Имя"]),
        ("src/Модули/Имя.os", "bsl", ["Имя"]),
        ("Module.bsl", "bsl", ["Module"]),
    ],
)
def test_names_a_module_answers_to(path, language, expected):
    assert module_names(path, language) == expected


def test_plain_import_binds_the_head_and_an_alias_the_whole():
    def bindings(text: str, module: str, name: str):
        found = ImportText(Import(module, (name,), Span(0, len(text))), text)
        binding = bindings_of(found, "app.py")[name]
        return binding.module, binding.name

    assert bindings("import os.path", "os.path", "os") == ("os", None)
    assert bindings("import os.path as p", "os.path", "p") == ("os.path", None)
    assert bindings("from os import path as p", "os", "p") == ("os", "path")
    assert bindings("from datetime import datetime", "datetime", "datetime") == (
        "datetime",
        "datetime",
    )


def test_saved_index_comes_back_and_saves_to_the_same_bytes(tmp_path: Path):
    INDEX.save(tmp_path / "repository" / "definitions.json")
    loaded = DefinitionIndex.load(tmp_path / "repository" / "definitions.json")
    assert loaded.entries == INDEX.entries
    loaded.save(tmp_path / "again.json")
    first = (tmp_path / "repository" / "definitions.json").read_bytes()
    assert first == (tmp_path / "again.json").read_bytes()
    assert json.loads(first)["format"] == 2


def test_an_index_of_the_first_format_is_one_without_uses(tmp_path: Path):
    INDEX.save(tmp_path / "definitions.json")
    values = json.loads((tmp_path / "definitions.json").read_text())
    first = {"format": 1, "entries": values["entries"]}
    (tmp_path / "first.json").write_text(json.dumps(first))
    assert DefinitionIndex.load(tmp_path / "first.json").entries == INDEX.entries


def test_a_use_of_nothing_is_refused(tmp_path: Path):
    path = tmp_path / "definitions.json"
    path.write_text('{"format": 2, "entries": [], "users": ["a.py"], "uses": [[0, 7, 1]]}')
    with pytest.raises(ConfigError, match="is not an index"):
        DefinitionIndex.load(path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 9, "entries": []}', '{"entries": 1}'])
def test_a_broken_index_is_named(tmp_path: Path, content: str):
    path = tmp_path / "definitions.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"definitions\.json is not an index"):
        DefinitionIndex.load(path)


def test_place_is_the_protocols_own():
    assert Place is BasePlace
