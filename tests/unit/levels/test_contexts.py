import asyncio.tasks
import inspect
import json.decoder

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nested_ray.levels import DefinitionIndex, Place, build_levels, index_definitions
from nested_ray.repository.definitions import Entry

STDLIB = {
    "asyncio/tasks.py": inspect.getsource(asyncio.tasks),
    "json/decoder.py": inspect.getsource(json.decoder),
}
BSL = """#Область ПрограммныйИнтерфейс

Перем Счётчик;

// Считает строки.
&НаСервере
Функция Посчитать(Знач Текст, Предел = 10) Экспорт
\tЕсли Текст = "" Тогда
\t\tВозврат 0;
\tКонецЕсли;
\tВозврат ОбщегоНазначения.ЧислоСтрок(Текст);
КонецФункции

&НаКлиенте
Процедура Показать(Команда)
\tСообщить(Посчитать("а"));
КонецПроцедуры
"""
FILES = {**STDLIB, "CommonModules/Счёт/Ext/Module.bsl": BSL}


def language_of(path: str) -> str:
    return "bsl" if path.endswith(".bsl") else "python"


class Document:
    def __init__(self, path: str, text: str) -> None:
        self.path, self.language, self.text = path, language_of(path), text
        self.source = "folder:test"


def entry(path: str, name: str, signature: str, parent: str = "", doc: str = "") -> Entry:
    return Entry(path, language_of(path), name, parent, "function", signature, doc, "")


INDEX = DefinitionIndex(
    [
        *index_definitions([Document(path, text) for path, text in FILES.items()]).entries,
        entry("asyncio/coroutines.py", "iscoroutine", "def iscoroutine(obj)", doc="Is it one?"),
        entry(
            "CommonModules/ОбщегоНазначения/Ext/Module.bsl",
            "ЧислоСтрок",
            "Функция ЧислоСтрок(Текст) Экспорт",
        ),
    ]
)


def contexts(path: str, before: str) -> tuple[str, str]:
    """From levels that have read nothing else, as a server that was just started."""
    levels = build_levels(["architecture"], INDEX)
    place = Place(path, language_of(path), before)
    return levels["semantics"].context(place), levels["architecture"].context(place)


@given(st.sampled_from(sorted(FILES)), st.data())
def test_reading_on_gives_what_a_fresh_reader_gives(path: str, data: st.DataObject):
    """Training walks through a file, serving sees one prefix: both must see the same."""
    text = FILES[path]
    offsets = data.draw(st.lists(st.integers(0, len(text)), min_size=1, max_size=8))
    levels = build_levels(["architecture"], INDEX)
    for offset in sorted(offsets):
        place = Place(path, language_of(path), text[:offset])
        found = levels["semantics"].context(place), levels["architecture"].context(place)
        assert found == contexts(path, text[:offset])


@given(st.sampled_from(sorted(FILES)), st.data())
def test_nothing_behind_the_window_start_is_seen(path: str, data: st.DataObject):
    """A reader that has read another continuation of the same beginning tells nothing of it."""
    text = FILES[path]
    offset = data.draw(st.integers(0, len(text)))
    other_end = data.draw(st.text(max_size=30)) + "\ndef other(): pass\nimport other\n"
    levels = build_levels(["architecture"], INDEX)
    language = language_of(path)
    for before in (text, text[:offset] + other_end, text[:offset]):
        place = Place(path, language, before)
        found = levels["semantics"].context(place), levels["architecture"].context(place)
    assert found == contexts(path, text[:offset])


@given(st.text(), st.sampled_from(["python", "bsl", "cobol"]))
def test_any_text_has_a_context(before: str, language: str):
    levels = build_levels(["architecture"], INDEX)
    for level in levels.values():
        assert isinstance(level.context(Place("a/b.c", language, before)), str)


def test_syntax_adds_nothing():
    level = build_levels(["syntax"], INDEX)["syntax"]
    assert level.context(Place("a.py", "python", "import os\n")) == ""


def test_only_the_levels_up_to_the_highest_kind_are_built():
    assert list(build_levels(["syntax"], INDEX)) == ["syntax"]
    assert list(build_levels(["semantics", "syntax"], INDEX)) == ["syntax", "semantics"]


PYTHON = """import os
from json import (
    dumps as to_json,
)

LIMIT = 3


@cached
def first(a, b=2):
    def inner(x):
        return x
    return inner(a)


class Store(
    Base,
):
    \"\"\"Keeps things.\"\"\"

    @property
    def size(self) -> int:
        return 1

    async def put(self, key: str) -> None:
        if key:
            await """


def test_file_context_of_a_method():
    found, _ = contexts("pkg/store.py", PYTHON)
    assert found.split("\n") == [
        "LIMIT = 3",
        "def first(a, b=2)",
        "    def inner(x)",
        "    def size(self) -> int",
        "import os",
        "from json import ( dumps as to_json, )",
        "# pkg/store.py",
        "class Store(Base)",
        "    async def put(self, key: str) -> None",
    ]


@pytest.mark.parametrize(
    ("ending", "expected"),
    [
        (
            "            pass\n",
            ["class Store(Base)", "    async def put(self, key: str) -> None"],
        ),
        ("            pass\n\n    x", ["class Store(Base)"]),
        ("            pass\n\nx", []),
        (
            "            pass\n\n    def",
            ["class Store(Base)"],
        ),
        ("            pass\n\n    def get(self, k", ["class Store(Base)"]),
        ("            pass\n\n    @property\n", ["class Store(Base)"]),
        (
            "            pass\n\n    def get(self):\n",
            ["class Store(Base)", "    def get(self)"],
        ),
    ],
)
def test_what_encloses_the_place_follows_its_indentation(ending: str, expected: list[str]):
    found, _ = contexts("pkg/store.py", PYTHON + ending)
    assert found.split("\n# pkg/store.py")[1].split("\n")[1:] == expected


def test_bsl_file_context():
    inside = BSL[: BSL.index("Сообщить")]
    found, _ = contexts("CommonModules/Счёт/Ext/Module.bsl", inside)
    lines = found.split("\n")
    assert "Функция Посчитать(Знач Текст, Предел = 10) Экспорт" in lines
    assert lines[-2:] == [
        "// CommonModules/Счёт/Ext/Module.bsl",
        "Процедура Показать(Команда)",
    ]
    after, _ = contexts("CommonModules/Счёт/Ext/Module.bsl", BSL)
    assert after.split("\n")[-1] == "// CommonModules/Счёт/Ext/Module.bsl"


def test_repository_context_renders_path_signature_and_documentation():
    before = "from asyncio import coroutines\n\ndef f(x):\n    return coroutines.iscoroutine("
    _, found = contexts("app.py", before)
    assert found == "# asyncio/coroutines.py\ndef iscoroutine(obj)\n    # Is it one?"


def test_repository_context_of_bsl_finds_the_common_module_in_any_case():
    _, found = contexts("CommonModules/Иной/Ext/Module.bsl", "А = общегоназначения.числострок(")
    assert found == (
        "// CommonModules/ОбщегоНазначения/Ext/Module.bsl\nФункция ЧислоСтрок(Текст) Экспорт"
    )


def test_most_recently_used_definition_comes_last():
    before = (
        "from asyncio.tasks import wait, gather, sleep\nfrom json import decoder\n\n"
        "gather()\ndecoder.scanstring()\nwait(1)\ngather(2)\n"
    )
    _, found = contexts("app.py", before)
    heads = [line.split("(")[0] for line in found.split("\n") if line.startswith(("def", "async"))]
    assert heads[-2:] == ["async def wait", "def gather"]
    assert heads.index("async def sleep") < heads.index("async def wait")


def test_a_file_is_never_shown_its_own_definitions():
    path = "asyncio/tasks.py"
    for offset in range(0, len(STDLIB[path]), 997):
        _, found = contexts(path, STDLIB[path][:offset])
        assert f"# {path}" not in found


@pytest.mark.parametrize(
    ("path", "before", "expected"),
    [
        ("a.py", "def f(x, *, y=1):\n    total = 0\n    for item in x:\n        import os\n        ", "    # total, item, os"),
        ("a.py", "class A:\n    def f(self):\n        a, b = 1, 2\n        ", "        # a, b"),
        ("a.py", "def f(x):\n    y = 1\n\n\nz = ", "# a.py"),
        ("a.py", "def f(x):\n    ", "def f(x)"),
        ("m.bsl", "Процедура П(А)\n\tБ = 1;\n\tДля Каждого В Из А Цикл\n\t\t", "    // Б, В"),
    ],
)  # fmt: skip
def test_local_names_stand_nearest_to_the_window(path: str, before: str, expected: str):
    found, _ = contexts(path, before)
    assert found.split("\n")[-1] == expected


def test_what_the_used_definitions_use_follows_them():
    """`app.py` calls `load`, which uses `Store`; `Store` is shown though it is not named."""
    documents = [
        Document("lib/store.py", "class Store:\n    pass\n"),
        Document(
            "lib/load.py", "from lib.store import Store\n\n\ndef load():\n    return Store()\n"
        ),
    ]
    levels = build_levels(["architecture"], index_definitions(documents))
    before = "from lib.load import load\n\n\ndef main():\n    load()\n    "
    found = levels["architecture"].context(Place("app.py", "python", before)).split("\n")
    assert found.index("class Store") < found.index("def load()")
