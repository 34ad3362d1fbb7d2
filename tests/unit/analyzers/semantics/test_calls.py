"""Calls across files, and what a finding says of them."""

from __future__ import annotations

from nested_ray.analyzers.semantics import SemanticsAnalyzer
from nested_ray.languages.base import Span
from nested_ray.repository.base import SourceFile
from nested_ray.repository.index import open_repository
from tests.unit.analyzers.semantics.conftest import Analyze

TOOLS = "def scale(value, by=2):\n    return value * by\n\n\nclass Box:\n    def __init__(self, size):\n        self.size = size\n"


def _findings(texts: dict[str, str], path: str):
    repository = open_repository(SourceFile(p, "python", text) for p, text in texts.items())
    return list(SemanticsAnalyzer().analyze(repository, [path]))


def test_a_call_of_an_imported_function_is_judged_by_its_definition() -> None:
    text = "from package.tools import scale\n\nprint(scale(1), scale(1, 2))\nscale()\n"
    found = _findings(
        {"package/__init__.py": "", "package/tools.py": TOOLS, "use.py": text}, "use.py"
    )
    (finding,) = found
    assert finding.rule == "semantics/wrong-arity"
    assert text[finding.span.start :] == "scale()\n"
    (place,) = finding.related
    assert place.path == "package/tools.py" and TOOLS[place.span.start : place.span.end] == "scale"
    assert "def scale(value, by=2)" in finding.witness


def test_a_call_behind_a_module_and_a_class_are_judged_too() -> None:
    text = "from package import tools\n\ntools.scale(1)\ntools.Box(1)\ntools.scale(1, 2, 3)\ntools.Box()\n"
    found = _findings(
        {"package/__init__.py": "", "package/tools.py": TOOLS, "use.py": text}, "use.py"
    )
    assert [text.count("\n", 0, f.span.start) + 1 for f in found] == [5, 6]


def test_a_definition_that_its_module_replaces_is_not_judged() -> None:
    replaced = TOOLS + "\n\nscale = print\n"
    text = "from package.tools import scale\n\nscale(1, 2, 3)\n"
    files = {"package/__init__.py": "", "package/tools.py": replaced, "use.py": text}
    assert _findings(files, "use.py") == []


def test_a_name_that_is_bound_twice_is_not_judged() -> None:
    text = "try:\n    from package.tools import scale\nexcept ImportError:\n    scale = print\n\nscale(1, 2, 3)\n"
    files = {"package/__init__.py": "", "package/tools.py": TOOLS, "use.py": text}
    assert _findings(files, "use.py") == []


STORE = "src/CommonModules/Склад/Ext/Module.bsl"
SALES = "src/CommonModules/Продажи/Ext/Module.bsl"


def test_a_broken_call_of_a_common_module_shows_the_definition(analyze: Analyze) -> None:
    store = "// Склад\nФункция Остаток(Товар, Дата = Неопределено) Экспорт\n\tВозврат Товар + Дата;\nКонецФункции\n"
    sales = "Процедура Продать() Экспорт\n\tСообщить(склад.ОСТАТОК());\nКонецПроцедуры\n"
    (finding,) = analyze({STORE: store, SALES: sales}, only=SALES)
    assert finding.message == "`Остаток` takes 1 to 2 arguments, the call passes 0"
    assert sales[finding.span.start : finding.span.end] == "ОСТАТОК"
    assert finding.symbol == "Продать"
    (place,) = finding.related
    assert (place.path, store[place.span.start : place.span.end]) == (STORE, "Остаток")


def test_a_slip_is_told_with_the_name_that_is_near(analyze: Analyze) -> None:
    store = "Функция Остаток() Экспорт\n\tВозврат 1;\nКонецФункции\n"
    sales = "Процедура Продать() Экспорт\n\tСообщить(Склад.Остаток1());\nКонецПроцедуры\n"
    (finding,) = analyze({STORE: store, SALES: sales}, only=SALES)
    assert finding.message == "`Склад` has no method `Остаток1`; `Остаток` is near"


def test_an_attribute_may_hide_a_common_module(analyze: Analyze) -> None:
    store = "Функция Остаток() Экспорт\n\tВозврат 1;\nКонецФункции\n"
    form = "&НаСервере\nПроцедура Заполнить()\n\tСклад.Добавить();\nКонецПроцедуры\n"
    path = "src/Documents/Заказ/Forms/Форма/Ext/Form/Module.bsl"
    assert analyze({STORE: store, path: form}, only=path) == []
    # Once it answers to a method of the module it is the module.
    proven = form.replace("Добавить();", "Добавить();\n\tСообщить(Склад.Остаток());")
    assert [f.rule for f in analyze({STORE: store, path: proven}, only=path)] == [
        "semantics/unresolved-method"
    ]


def test_an_extension_of_a_module_is_not_taken_for_the_whole(analyze: Analyze) -> None:
    store = '&Вместо("Остаток")\nФункция Расш_Остаток()\n\tВозврат 1;\nКонецФункции\n'
    sales = "Процедура Продать() Экспорт\n\tСклад.Списать(1);\nКонецПроцедуры\n"
    assert analyze({STORE: store, SALES: sales}) == []


def test_without_a_configuration_plain_calls_are_not_judged(analyze: Analyze) -> None:
    assert analyze("Процедура А() Экспорт\n\tНеизвестная(1);\nКонецПроцедуры\n", name="а.bsl") == []


def test_a_module_that_does_not_parse_gets_nothing_and_proves_nothing(analyze: Analyze) -> None:
    sales = "Процедура Продать() Экспорт\n\tСклад.Списать(1);\nКонецПроцедуры\n"
    assert analyze({STORE: "Процедура А(\n", SALES: sales}) == []
    assert analyze("def f(a:\n    return b\n") == []


def test_methods_for_each_place_of_a_condition_may_differ(analyze: Analyze) -> None:
    text = (
        "#Если Сервер Тогда\nФункция Код(А) Экспорт\n\tВозврат А;\nКонецФункции\n"
        "#Иначе\nФункция Код(А, Б) Экспорт\n\tВозврат А + Б;\nКонецФункции\n#КонецЕсли\n"
        "Процедура Вызов() Экспорт\n\tСообщить(Код(1));\n\tСообщить(Код(1, 2));\n\tСообщить(Код());\nКонецПроцедуры\n"
    )
    (finding,) = analyze({SALES: text})
    assert text[finding.span.start :].startswith("Код());")


def test_findings_stand_where_preprocessor_lines_were_taken_out(analyze: Analyze) -> None:
    text = (
        "#Область А\n#Если Сервер Тогда\nПроцедура Б(А) Экспорт\n#Область В\n\tА = А;\n#КонецОбласти\n"
        "КонецПроцедуры\n#КонецЕсли\n#КонецОбласти\n"
    )
    (finding,) = analyze({SALES: text})
    start = text.index("А = А")
    assert finding.span == Span(start, start + 5)
