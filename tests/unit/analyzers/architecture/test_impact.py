"""Impact: what a change can reach, and by which way."""

from __future__ import annotations

import pytest

from nested_ray.analyzers.architecture.impact import changed_nodes, impact_of, in_spans
from nested_ray.errors import ConfigError
from nested_ray.languages.base import Span

TEXTS = {
    "lib/__init__.py": "",
    "lib/base.py": "def load():\n    return 1\n\n\ndef other():\n    return 2\n",
    "lib/middle.py": "from lib.base import load\n\n\ndef inner():\n    return load()\n\n\ndef outer():\n    return inner()\n",
    "lib/top.py": "from lib.middle import outer\n\n\ndef run():\n    return outer()\n",
    "lib/aside.py": "from lib.base import other\n\n\ndef go():\n    return other()\n",
}


def test_a_change_goes_through_functions_of_the_same_file(structure_of):
    structure = structure_of(TEXTS)
    found = impact_of(structure, changed_nodes(structure, "lib/base.py:load"))
    assert [(each.path, each.distance) for each in found] == [
        ("lib/middle.py", 1),
        ("lib/top.py", 3),
    ]
    way = found[1].way
    assert [(link.source, link.target) for link in way][-1] == ("lib/middle.py", "lib/base.py")
    assert found[1].definitions == ("run",)


def test_a_function_that_imports_for_itself_passes_a_change_on(structure_of):
    own = "def outer():\n    from lib.base import load\n    return load()\n"
    structure = structure_of({**TEXTS, "lib/middle.py": own})
    found = impact_of(structure, changed_nodes(structure, "lib/base.py:load"))
    assert [(each.path, each.distance) for each in found] == [
        ("lib/middle.py", 1),
        ("lib/top.py", 2),
    ]


@pytest.mark.parametrize("name", ["lib.base.load", "base.load", "load", "lib/base.py:load"])
def test_a_definition_has_many_names(structure_of, name):
    structure = structure_of(TEXTS)
    assert changed_nodes(structure, name) == [("lib/base.py", 0)]


def test_a_file_stands_for_all_that_it_defines(structure_of):
    structure = structure_of(TEXTS)
    found = impact_of(structure, changed_nodes(structure, "lib.base"))
    assert {each.path for each in found} == {"lib/middle.py", "lib/top.py", "lib/aside.py"}


def test_an_unknown_name_is_refused_with_what_to_write(structure_of):
    with pytest.raises(ConfigError, match="path:definition"):
        changed_nodes(structure_of(TEXTS), "lib.nothing")


def test_changed_lines_name_definitions_or_the_module(structure_of):
    structure = structure_of(TEXTS)
    text = TEXTS["lib/base.py"]
    start = text.index("return 2")
    assert in_spans(structure, "lib/base.py", [Span(start, start + 3)]) == [("lib/base.py", 1)]
    blank = text.index("\n\n\n") + 1
    assert in_spans(structure, "lib/base.py", [Span(blank, blank)]) == [("lib/base.py", None)]


def test_methods_of_common_modules_are_followed(structure_of):
    structure = structure_of(
        {
            "CommonModules/База/Ext/Module.bsl": "Функция Найти() Экспорт\n\tВозврат 1;\nКонецФункции\n",
            "CommonModules/Верх/Ext/Module.bsl": "Функция Взять() Экспорт\n\tВозврат база.НАЙТИ();\nКонецФункции\n",
        }
    )
    (found,) = impact_of(structure, changed_nodes(structure, "База.найти"))
    assert (found.path, found.definitions) == ("CommonModules/Верх/Ext/Module.bsl", ("Взять",))
