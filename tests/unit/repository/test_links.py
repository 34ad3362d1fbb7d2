from collections.abc import Mapping

import pytest

from nested_ray.repository.base import Link, SourceFile
from nested_ray.repository.index import open_repository
from nested_ray.repository.metadata import MetadataText


def links(texts: Mapping[str, str], metadata: Mapping[str, str] | None = None) -> list[Link]:
    files = [
        SourceFile(path, "bsl" if path.endswith((".bsl", ".os")) else "python", text)
        for path, text in texts.items()
    ]
    xml = [MetadataText(path, text) for path, text in (metadata or {}).items()]
    return list(open_repository(files, metadata=xml).links)


def shown(texts: Mapping[str, str], metadata: Mapping[str, str] | None = None) -> set[str]:
    """`source[.definition] kind target[.definition]`; imports of names and modules alike."""
    repository = open_repository(
        SourceFile(path, "bsl" if path.endswith((".bsl", ".os")) else "python", text)
        for path, text in texts.items()
    )

    def place(path: str, definition: int | None) -> str:
        if definition is None:
            return path
        return f"{path}:{repository.outline(path).definitions[definition].name}"

    return {
        f"{place(link.source, link.source_definition)} {link.kind} "
        f"{place(link.target, link.target_definition)}"
        for link in links(texts, metadata)
    }


SHAPES = (
    "class Shape:\n    def area(self):\n        return 0\n\n\ndef make():\n    return Shape()\n"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import pkg.shapes\npkg.shapes.make()\n", {"import pkg/shapes.py", "call pkg/shapes.py:make"}),
        ("import pkg.shapes as s\ns.make()\n", {"import pkg/shapes.py", "call pkg/shapes.py:make"}),
        ("from pkg import shapes\nshapes.make()\n", {"import pkg/shapes.py", "call pkg/shapes.py:make"}),
        (
            "from pkg.shapes import make as m\nm()\n",
            {"import pkg/shapes.py", "import pkg/shapes.py:make", "call pkg/shapes.py:make"},
        ),
        ("from pkg.shapes import *\nmake()\n", {"import pkg/shapes.py", "call pkg/shapes.py:make"}),
        (
            "from pkg.shapes import Shape\nShape.area\n",
            {
                "import pkg/shapes.py", "import pkg/shapes.py:Shape", "use pkg/shapes.py:Shape",
                "use pkg/shapes.py:area",
            },
        ),
        (
            "from pkg.shapes import Shape\nclass Round(Shape, metaclass=type): ...\n",
            {"import pkg/shapes.py", "import pkg/shapes.py:Shape", "inherit pkg/shapes.py:Shape"},
        ),
        # An object of unknown type, a parameter of the same name, a module of somebody else.
        ("from pkg.shapes import make\nmake().area()\n", {
            "import pkg/shapes.py", "import pkg/shapes.py:make", "call pkg/shapes.py:make",
        }),
        ("from pkg import shapes\ndef f(shapes):\n    shapes.make()\n", {"import pkg/shapes.py"}),
        ("import shapes\nshapes.make()\n", set()),
        ("import json\njson.dumps(1)\n", set()),
    ],
)  # fmt: skip
def test_names_lead_to_definitions(text: str, expected: set[str]):
    files = {
        "app.py": text,
        "pkg/__init__.py": "",
        "pkg/shapes.py": SHAPES,
        "pkg/json.py": "def dumps(): ...",
    }
    found = {line.split(" ", 1)[1] for line in shown(files) if line.startswith("app.py")} - {
        "import pkg/__init__.py"
    }
    assert found == expected


def test_names_are_followed_through_packages_and_star_imports():
    files = {
        "pkg/__init__.py": "from .inner import make as build\nfrom .more import *\n",
        "pkg/inner.py": "def make(): ...\n",
        "pkg/more.py": "def extra(): ...\ndef _hidden(): ...\n",
        "app.py": "import pkg\npkg.build()\npkg.extra()\npkg._hidden()\n",
    }
    calls = {line for line in shown(files) if " call " in line}
    assert calls == {"app.py call pkg/inner.py:make", "app.py call pkg/more.py:extra"}


def test_relative_imports_and_the_definition_around_a_use():
    files = {
        "a/__init__.py": "",
        "a/b/__init__.py": "",
        "a/b/c.py": "from .. import d\nfrom .e import go\nclass K:\n    def m(self):\n        return go(d.x)\n",
        "a/d.py": "x = 1\n",
        "a/b/e.py": "def go(v): ...\n",
    }
    found = shown(files)
    assert {
        "a/b/c.py:m call a/b/e.py:go",
        "a/b/c.py:m use a/d.py:x",
        "a/b/c.py import a/d.py",
    } <= found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from pkg import below\n", {"import pkg/below.py"}),
        ("from . import below\n", {"import pkg/below.py"}),
        ("from pkg import below as b\n", {"import pkg/below.py"}),
        ("from pkg import below, sub\n", {"import pkg/below.py", "import pkg/sub/__init__.py"}),
        ("from pkg import below, own\n", {
            "import pkg/below.py", "import pkg/__init__.py", "import pkg/__init__.py:own",
        }),
        ("from pkg import make\n", {"import pkg/__init__.py", "import pkg/below.py:make"}),
        ("from pkg import who_knows\n", {"import pkg/__init__.py"}),
        ("from pkg import *\n", {"import pkg/__init__.py"}),
        ("import pkg.below\n", {"import pkg/below.py"}),
        ("import pkg\n", {"import pkg/__init__.py"}),
    ],
)  # fmt: skip
def test_a_submodule_is_no_dependency_on_its_package(text: str, expected: set[str]):
    files = {
        "pkg/__init__.py": "from pkg import below\nfrom pkg.below import make\ndef own(): ...\n",
        "pkg/below.py": "def make(): ...\n",
        "pkg/sub/__init__.py": "",
        "pkg/user.py": text,
    }
    found = {line.split(" ", 1)[1] for line in shown(files) if line.startswith("pkg/user.py")}
    assert found == expected


def test_an_import_belongs_to_the_function_it_stands_in():
    files = {
        "a.py": "import b\nclass K:\n    def m(self):\n        import b\n        def n():\n            import b\n",
        "b.py": "",
    }
    assert shown(files) == {"a.py import b.py", "a.py:m import b.py", "a.py:n import b.py"}


def test_cycles_of_re_exports_end():
    files = {
        "a.py": "from b import *\nfrom b import x\nx()\n",
        "b.py": "from a import *\nfrom a import x\n",
    }
    assert shown(files) == {"a.py import b.py", "b.py import a.py"}


def test_a_package_that_is_the_whole_repository_knows_its_own_name():
    files = {
        "__init__.py": "",
        "tool.py": "from mine.core import run\nrun()\nimport core\n",
        "core.py": "def run(): ...\n",
        "types.py": "import types\n",
    }
    assert {line for line in shown(files) if line.startswith(("tool", "types"))} == {
        "tool.py import core.py", "tool.py import core.py:run", "tool.py call core.py:run",
    }  # fmt: skip


MODULE = "Функция Посчитать(А) Экспорт\nВозврат А;\nКонецФункции\nФункция Скрытая()\nКонецФункции\n"
COMMON = {
    "src/CommonModules/Счёт/Ext/Module.bsl": MODULE,
    "src/Catalogs/Товары/Ext/ManagerModule.bsl": MODULE,
}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("Б = Счёт.Посчитать(1);", {"call src/CommonModules/Счёт/Ext/Module.bsl:Посчитать"}),
        ("Б = СЧЁТ.посчитать(1);", {"call src/CommonModules/Счёт/Ext/Module.bsl:Посчитать"}),
        ("Б = Справочники.Товары.Посчитать(1);", {"call src/Catalogs/Товары/Ext/ManagerModule.bsl:Посчитать"}),
        ("Б = Catalogs.Товары.Посчитать(1);", {"call src/Catalogs/Товары/Ext/ManagerModule.bsl:Посчитать"}),
        ("Счёт.Скрытая();", set()),
        ("Документы.Товары.Посчитать(1);", set()),
        ("Счёт = Новый Структура; Счёт.Посчитать(1);", set()),
        ("Посчитать(1);", set()),
        (
            'М = ОбщегоНазначения.ОбщийМодуль("Счёт");\nМ.Посчитать(1);',
            {"use src/CommonModules/Счёт/Ext/Module.bsl", "call src/CommonModules/Счёт/Ext/Module.bsl:Посчитать"},
        ),
        (
            'М = ОбщегоНазначения.ОбщийМодуль("Счёт");\nМ = Другое();\nМ.Посчитать(1);',
            {"use src/CommonModules/Счёт/Ext/Module.bsl"},
        ),
        ('Фоновое("Счёт.Посчитать");', {"use src/CommonModules/Счёт/Ext/Module.bsl:Посчитать"}),
        ('Сообщить("Счёт.Неизвестно");', set()),
    ],
)  # fmt: skip
def test_calls_between_modules(body: str, expected: set[str]):
    files = COMMON | {
        "src/CommonModules/Другой/Ext/Module.bsl": f"Процедура П()\n{body}\nКонецПроцедуры\n"
    }
    assert {line.split(" ", 1)[1] for line in shown(files) if "Другой" in line} == expected


def test_a_module_of_two_configurations_is_the_own_one():
    files = COMMON | {
        "ext/CommonModules/Счёт/Ext/Module.bsl": MODULE,
        "ext/CommonModules/Другой/Ext/Module.bsl": "Счёт.Посчитать(1);",
        "third/CommonModules/Иной/Ext/Module.bsl": "Счёт.Посчитать(1);",
    }
    assert shown(files) == {
        "ext/CommonModules/Другой/Ext/Module.bsl call ext/CommonModules/Счёт/Ext/Module.bsl:Посчитать"
    }


def test_a_form_belongs_to_its_object():
    files = {
        "Catalogs/Товары/Ext/ObjectModule.bsl": "",
        "Catalogs/Товары/Forms/Форма/Ext/Form/Module.bsl": "А = 1;",
    }
    assert shown(files) == {
        "Catalogs/Товары/Forms/Форма/Ext/Form/Module.bsl use Catalogs/Товары/Ext/ObjectModule.bsl"
    }


XML = '<MetaDataObject><{0} uuid="1"><Properties><Name>{1}</Name>{2}</Properties></{0}></MetaDataObject>'


def test_global_modules_are_called_without_their_name():
    files = COMMON | {"src/CommonModules/Другой/Ext/Module.bsl": "Посчитать(1);"}
    metadata = {
        "src/CommonModules/Счёт.xml": XML.format("CommonModule", "Счёт", "<Global>true</Global>")
    }
    assert shown(files, metadata) == {
        "src/CommonModules/Другой/Ext/Module.bsl call src/CommonModules/Счёт/Ext/Module.bsl:Посчитать"
    }


def test_subscriptions_are_links_from_the_object():
    files = COMMON | {"src/Catalogs/Товары/Ext/ObjectModule.bsl": ""}
    body = (
        "<Source><v8:Type>cfg:CatalogObject.Товары</v8:Type></Source><Event>OnWrite</Event>"
        "<Handler>CommonModule.Счёт.Посчитать</Handler>"
    )
    metadata = {
        "src/EventSubscriptions/ПриЗаписи.xml": XML.format("EventSubscription", "ПриЗаписи", body)
    }
    assert shown(files, metadata) == {
        "src/Catalogs/Товары/Ext/ObjectModule.bsl use src/CommonModules/Счёт/Ext/Module.bsl:Посчитать"
    }


def test_scripts_reach_modules_and_classes_by_their_file_s_name():
    files = {
        "src/Модули/Пути.os": "Функция Корень() Экспорт\nКонецФункции\n",
        "src/Классы/Файл1.os": "",
        "main.os": "А = Пути.Корень();\nБ = Новый Файл1(А);\n",
    }
    assert shown(files) == {
        "main.os call src/Модули/Пути.os:Корень",
        "main.os use src/Классы/Файл1.os",
    }


def test_links_are_in_order_of_source_and_offset():
    files = COMMON | {
        f"src/CommonModules/М{number}/Ext/Module.bsl": "Счёт.Посчитать(1);\nСчёт.Посчитать(2);\n"
        for number in range(3)
    }
    found = links(files)
    assert [(link.source, link.offset) for link in found] == sorted(
        (link.source, link.offset) for link in found
    )
    assert len(found) == 6


@pytest.mark.parametrize(
    ("heading", "bases"),
    [
        ("class A(B, C): ...", {"B", "C"}),
        ("class A(m.B): ...", {"B"}),
        ("class A(B[C], metaclass=C): ...", {"B"}),
        ("@C\nclass A[T](B): ...", {"B"}),
        ("class A: ...\nclass D(B): ...", {"B"}),
        ("class A(B, C", set()),
    ],
)
def test_bases_are_told_from_other_names_of_a_heading(heading: str, bases: set[str]):
    files = {
        "a.py": f"from b import B, C\nimport b as m\n{heading}\n",
        "b.py": "class B: ...\nclass C: ...\n",
    }
    found = {line.rpartition(":")[2] for line in shown(files) if " inherit " in line}
    assert found <= bases if heading.endswith("C") else found == bases
