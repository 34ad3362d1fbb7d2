from nested_ray.languages import Definition, Import, Outline, get_language

TEXT = '''"""Модуль é."""
import os, a.b as c
from .m import (q as w, z)
from x import *
V, W = 1, 2
U: int = 3
class К(Base):
    """Класс."""
    @prop
    async def _f(self, a: int = 1,  # why
          *b, k=2) -> "x":
        """First

        second"""
        return self.g(a).h(b, key=U.v) + os.path.join(a) + x[1].t
def g(
'''


def outline() -> Outline:
    return get_language("python").outline(TEXT)


def brief(found: Import) -> tuple[str, tuple[str, ...]]:
    return found.module, found.names


def by_name() -> dict[str, Definition]:
    return {definition.name: definition for definition in outline().definitions}


def test_imports_name_the_module_and_what_they_bind() -> None:
    assert [brief(found) for found in outline().imports] == [
        ("os", ("os",)),
        ("a.b", ("c",)),
        (".m", ("w", "z")),
        ("x", ()),
    ]


def test_definitions_come_in_order_with_kind_and_parent() -> None:
    found = [(one.name, one.kind, one.parent, one.exported) for one in outline().definitions]
    assert found == [
        ("V", "variable", None, True),
        ("W", "variable", None, True),
        ("U", "variable", None, True),
        ("К", "class", None, True),
        ("_f", "method", "К", False),
    ]


def test_method_has_its_heading_on_one_line_and_its_first_line_of_documentation() -> None:
    method = by_name()["_f"]
    assert method.signature == 'async def _f(self, a: int = 1, *b, k=2) -> "x"'
    assert method.doc == "First"
    text = TEXT[method.span.start : method.span.end]
    assert text.startswith("@prop") and text.endswith("x[1].t")


def test_offsets_are_characters_where_the_text_is_not_ascii() -> None:
    for reference in outline().references:
        assert TEXT.startswith(reference.name, reference.offset)
    span = by_name()["U"].span
    assert TEXT[span.start : span.end] == "U: int = 3"


def test_references_have_qualifiers_and_calls_and_no_bound_names() -> None:
    found = [(one.name, one.qualifier, one.is_call) for one in outline().references]
    for wanted in [
        ("Base", None, False),
        ("g", "self", True),
        ("h", None, True),
        ("v", "U", False),
        ("path", "os", False),
        ("join", "os.path", True),
        ("t", None, False),
    ]:
        assert wanted in found
    names = {name for name, _, _ in found}
    assert names.isdisjoint({"V", "W", "К", "_f", "k", "key", "w", "q", "z"})


def test_a_heading_without_a_body_yet_is_a_definition():
    assert [each.name for each in get_language("python").outline("def f():\n").definitions] == ["f"]
    assert [each.name for each in get_language("python").outline("class C:\n").definitions] == ["C"]


def test_a_line_after_a_call_keeps_the_owner_of_its_names() -> None:
    found = get_language("python").outline("a.first()\nb.second()\nx[0]\nc.third\n").references
    assert [(each.qualifier, each.name) for each in found if each.qualifier] == [
        ("a", "first"),
        ("b", "second"),
        ("c", "third"),
    ]
