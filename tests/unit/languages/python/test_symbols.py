"""Scopes and names of Python; the compiler's own symbol table is the reference."""

import symtable
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from nested_ray.languages import get_language
from nested_ray.languages.base import SymbolTable
from nested_ray.languages.python.names import mangle

PYTHON = get_language("python")
STDLIB = Path(sysconfig.get_paths()["stdlib"])
Places = dict[tuple[str, str, int], dict[str, str]]
"""Of every class and named function, by kind, name and line: what its names are."""


def found_places(text: str) -> Places:
    table = PYTHON.symbols(text)
    places: Places = {}
    privates: list[str] = []
    for scope in table.scopes:
        outer = privates[scope.parent] if scope.parent is not None else ""
        privates.append(scope.name if scope.kind == "class" else outer)
    for use in table.uses:
        scope = table.scopes[use.scope]
        if scope.kind in ("class", "function") and scope.name != "lambda":
            line = text.count("\n", 0, scope.span.start) + 1
            place = places.setdefault((scope.kind, scope.name, line), {})
            place[mangle(use.name, privates[use.scope])] = meaning(table, use.scope, use.symbol)
    return places


def meaning(table: SymbolTable, scope: int, symbol: int | None) -> str:
    if symbol is None or table.symbols[symbol].scope == 0:
        return "global"
    return "local" if table.symbols[symbol].scope == scope else "free"


def reference_places(table: symtable.SymbolTable) -> Iterator[tuple[tuple[str, str, int], dict]]:
    for child in table.get_children():
        names = {}
        for symbol in child.get_symbols():
            is_global = symbol.is_declared_global() or symbol.is_global()
            kind = "global" if is_global else "free" if symbol.is_free() else "local"
            names[symbol.get_name()] = kind
        yield (child.get_type(), child.get_name(), child.get_lineno()), names
        yield from reference_places(child)


@pytest.mark.parametrize(
    "name", ["argparse.py", "enum.py", "functools.py", "contextlib.py", "asyncio/base_events.py"]
)
def test_every_name_means_what_the_compiler_says(name: str) -> None:
    text = (STDLIB / name).read_text(encoding="utf-8")
    reference = dict(reference_places(symtable.symtable(text, name, "exec")))
    compared = 0
    for (kind, scope, line), names in found_places(text).items():
        decorated = [key for key in reference if key[:2] == (kind, scope) and key[2] <= line]
        expected = reference[max(decorated, key=lambda key: key[2])]
        for each, what in names.items():
            assert (each, what) == (each, expected.get(each)), (scope, line)
            compared += 1
    assert compared > 300


def uses(text: str) -> list[str]:
    """`name:line` of the binding, for every use that is read; `name:-` for what the file does not bind."""
    table = PYTHON.symbols(text)
    found = []
    for use in table.uses:
        if not use.is_write:
            symbol = None if use.symbol is None else table.symbols[use.symbol]
            line = "-" if symbol is None else text.count("\n", 0, symbol.span.start) + 1
            found.append(f"{use.name}:{line}")
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\nclass C:\n  x = 2\n  def f(self): return x\n", ["x:1"]),
        ("x = 1\nclass C:\n  x = 2\n  y = [x for _ in x]\n", ["x:1", "x:3"]),
        ("def f():\n  a = 1\n  def g():\n    nonlocal a\n    a = 2\n  return a\n", ["a:2"]),
        ("def f():\n  global a\n  a = 1\ndef g(): return a\n", ["a:3"]),
        ("def f(x, y=x): return [z for z in x if (w := z)], w\n", "x:- z:1 x:1 z:1 w:1".split()),
        (
            "match p:\n case {'k': [q, *r]} | C(a=s, b=e.f): q, r, s\n",
            "p:- C:- e:- q:2 r:2 s:2".split(),
        ),
        ("class C:\n  __x = 1\n  def f(self): return __x\n", ["__x:-"]),
        ("from a import *\nimport b.c, d as e\nb.c.f(e, g=1)\n", ["b:2", "e:2"]),
        ("try: 1\nexcept E as e: e\nwith f() as (g, h): h\n", ["E:-", "e:2", "f:-", "h:3"]),
        ("def f[T](x: T) -> T: pass\n", ["T:1", "T:1"]),
        ("ﬁ = 1\nfi\n", ["fi:1"]),  # the compiler normalises names
        ("type(self).x = y\n", ["type:-", "self:-", "y:-"]),
        ("f'{a!r:>{b}}'\n", ["a:-", "b:-"]),
        ("lambda a, *b, c=d: (a, b, c, e)\n", ["d:-", "a:1", "b:1", "c:1", "e:-"]),
        ("x = 1\ndef broken(\nbroken.y\nx\n", ["broken:2", "x:1"]),
    ],
)
def test_names_lead_to_their_binding(text: str, expected: list[str]) -> None:
    assert uses(text) == expected


def test_scopes_nest_and_what_is_visible_comes_from_the_innermost() -> None:
    text = "x = 1\nclass C:\n    y = 2\n    def f(self, x):\n        z = 3; here\n"
    table = PYTHON.symbols(text)
    assert [(scope.kind, scope.name, scope.parent) for scope in table.scopes] == [
        ("module", "", None),
        ("class", "C", 0),
        ("function", "f", 1),
    ]
    visible = table.visible(text.index("here"))
    assert [(symbol.name, symbol.kind) for symbol in visible] == [
        ("self", "parameter"),
        ("x", "parameter"),
        ("z", "variable"),
        ("C", "class"),
    ]
