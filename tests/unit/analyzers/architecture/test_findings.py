"""Findings of the architecture level on small code bases."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nested_ray.analyzers.architecture import ArchitectureAnalyzer
from nested_ray.analyzers.architecture.god_modules import parts_of
from nested_ray.analyzers.architecture.report import describe
from nested_ray.config.architecture import ArchitectureConfig, GodModuleConfig, HubConfig

from .conftest import make_repository


def found_in(repository, rule, config=None):
    found = ArchitectureAnalyzer(config).analyze(repository, repository.files)
    return [finding for finding in found if finding.rule == f"architecture/{rule}"]


def test_modules_that_import_each_other_while_loading(repository_of):
    repository = repository_of({"a.py": "import b\n", "b.py": "import c\n", "c.py": "import a\n"})
    (found,) = found_in(repository, "import-cycle")
    assert found.severity.label == "warning"
    assert {found.path, *(place.path for place in found.related)} == {"a.py", "b.py", "c.py"}
    assert "a circle of 3" in found.message


def test_an_import_inside_a_function_only_makes_a_note(repository_of):
    repository = repository_of(
        {"a.py": "import b\nb.f()\n", "b.py": "def f():\n    import a\n    return a\n"}
    )
    assert found_in(repository, "import-cycle") == []
    (found,) = found_in(repository, "dependency-cycle")
    assert found.severity.label == "note"


def test_imports_for_types_and_for_scripts_close_no_circle(repository_of):
    texts = {
        "a.py": "import b\n",
        "b.py": "from typing import TYPE_CHECKING\n\nif TYPE_CHECKING:\n    import a\n",
        "c.py": "import d\n",
        "d.py": 'if __name__ == "__main__":\n    import c\n',
    }
    assert found_in(repository_of(texts), "import-cycle") == []


def test_a_package_and_its_own_modules_are_tame(repository_of):
    texts = {
        "p/__init__.py": "from p.m import f\n",
        "p/m.py": "import p\n\n\ndef f():\n    return p\n",
    }
    assert [f.severity.label for f in found_in(repository_of(texts), "import-cycle")] == ["note"]


def test_objects_of_a_configuration_that_call_each_other(repository_of):
    call = "Процедура {0}() Экспорт\n\t{1}.{2}();\nКонецПроцедуры\n"
    repository = repository_of(
        {
            "CommonModules/Склад/Ext/Module.bsl": call.format("Учесть", "Цены", "Найти"),
            "CommonModules/Цены/Ext/Module.bsl": call.format("Найти", "Склад", "Учесть"),
        }
    )
    (found,) = found_in(repository, "dependency-cycle")
    assert "CommonModule.Склад" in found.message and "CommonModule.Цены" in found.message


def test_a_hub_is_used_by_many_and_uses_many(repository_of):
    texts = {f"low{n}.py": f"import low{n + 1}\n" for n in range(80)}
    texts |= {f"top{n}.py": "import hub\nimport library\n" for n in range(20)}
    texts["hub.py"] = "".join(f"import low{n}\n" for n in range(20))
    texts["library.py"] = "y = 1\n"
    config = ArchitectureConfig(hubs=HubConfig(min_fan_in=10, min_fan_out=10))
    (found,) = found_in(repository_of(texts), "hub", config)
    assert found.path == "hub.py"
    assert "20 modules depend on it and it depends on 20" in found.message


def half(name: str, count: int) -> str:
    """Functions in a chain, each calling the next."""
    return "".join(
        f"def {name}{n}():\n    return {name}{(n + 1) % count}()\n\n\n" for n in range(count)
    )


def test_a_god_module_falls_into_parts(structure_of, repository_of):
    texts = {f"m{n}.py": "def f():\n    return 1\n" for n in range(10)}
    texts["god.py"] = half("read", 30) + half("draw", 30)
    assert [len(part) for part in parts_of(structure_of(texts), "god.py")] == [30, 30]
    config = ArchitectureConfig(god_modules=GodModuleConfig(min_lines=100, min_definitions=20))
    (found,) = found_in(repository_of(texts), "god-module", config)
    assert found.path == "god.py" and "in 2 parts" in found.message


def test_an_orphan_is_named_nowhere(repository_of):
    texts = {
        "p/__init__.py": "",
        "p/used.py": "def f():\n    return 1\n",
        "p/forgotten.py": "def g():\n    return 2\n",
        "p/plugin.py": "def h():\n    return 3\n",
        "p/main.py": "from p.used import f\n\nPLUGINS = ['plugin']\n\nif __name__ == '__main__':\n    f()\n",
    }
    assert [f.path for f in found_in(repository_of(texts), "orphan-module")] == ["p/forgotten.py"]


def test_a_common_module_that_a_subscription_calls_is_no_orphan(repository_of):
    text = "Процедура Записать(Источник, Отказ) Экспорт\nКонецПроцедуры\n"
    subscription = (
        '<MetaDataObject xmlns="http://v8.1c.ru/8.3/MDClasses"><EventSubscription><Properties>'
        "<Name>Запись</Name><Event>OnWrite</Event><Handler>CommonModule.Слушатель.Записать</Handler>"
        "</Properties></EventSubscription></MetaDataObject>"
    )
    texts = {
        "CommonModules/Слушатель/Ext/Module.bsl": text,
        "CommonModules/Забытый/Ext/Module.bsl": text,
        "EventSubscriptions/Запись.xml": subscription,
    }
    found = found_in(repository_of(texts), "orphan-module")
    assert [f.path for f in found] == ["CommonModules/Забытый/Ext/Module.bsl"]


def test_only_findings_in_the_files_asked_for(repository_of):
    repository = repository_of({"a.py": "import b\n", "b.py": "import a\n", "c.py": ""})
    assert list(ArchitectureAnalyzer().analyze(repository, ["c.py"])) == []
    assert list(ArchitectureAnalyzer().analyze(repository, [])) == []


@settings(max_examples=10)
@given(
    st.dictionaries(
        st.sampled_from(
            ["a.py", "p/__init__.py", "p/b.py", "c.os", "CommonModules/D/Ext/Module.bsl"]
        ),
        st.one_of(
            st.text(),
            st.sampled_from(
                [
                    "(" * 10_000,
                    "def f(:\n" * 500,
                    "class A:\n def f(self):\n  return self.f(" + "[" * 3_000,
                    'Процедура А() Экспорт "' * 500,
                    "\x00\ufeff\ud800",
                    "import a\nfrom . import *\n" * 50,
                    "'''" + '"""' * 999,
                ]
            ),
        ),
        max_size=5,
    )
)
def test_any_text_gets_a_report(texts):
    report = describe(make_repository(texts))
    assert report.num_files == len(texts)
    assert report.to_dict()["num_files"] == len(texts)
