"""Beginnings of Python files; CPython's own compiler on the whole file is the reference."""

import random
import sysconfig
from pathlib import Path

import pytest

from nested_ray.languages import Validity, get_language

PYTHON = get_language("python")
STDLIB = Path(sysconfig.get_paths()["stdlib"])
MODULES = ["json/decoder.py", "textwrap.py", "bisect.py", "asyncio/locks.py", "fractions.py"]


@pytest.mark.parametrize("name", MODULES)
def test_beginnings_of_valid_files_are_never_invalid(name: str) -> None:
    text = (STDLIB / name).read_text(encoding="utf-8")
    ends = random.Random(name).sample(range(len(text) + 1), 60)
    refused = [end for end in ends if PYTHON.check_prefix(text[:end]) is Validity.INVALID]
    assert refused == []


HARD = '''#!/usr/bin/env python
"""Doc with "quotes" and 'more'."""
from __future__ import annotations
@decorator(1)
async def f(a, /, b: int = 0x1f, *c, d=1e-5, **e) -> "x":
    """Inner\\"""" ; y = rb'\\x00\\'' if False else b''
    try:
        async with a as (b), c: await d
    except* (E, F) as g:
        raise G(f"{a!r:>{width}} {{b}} {c['k']} {x:=5}") from None
    else: pass
    finally:
        return lambda *a, k=1: (yield)
match f(1):
    case {"a": [1, *rest], **kw} if not rest:
        z = [i for i in x if i != 1 and i not in y]; del z[0]
    case C(x=1) | "a" "b" | None: pass
    case _:
        print("\\N{BULLET}\\u00e9\\101" "joined", 1_000.5j, ..., sep=\'\'\'a
b\'\'\')
while (n := n - 1) >= 0o17 or 0b1 << 2 // 3: continue
else:
    x = y = \\
        z @ w; a: int; b[1:2, ::3] **= ~1
if x:
\ty = 1if x else 2
'''


def test_every_beginning_of_a_file_of_rare_syntax_can_be_continued() -> None:
    assert PYTHON.check(HARD) is None
    refused = [
        end for end in range(len(HARD) + 1) if PYTHON.check_prefix(HARD[:end]) is Validity.INVALID
    ]
    assert [HARD[max(0, end - 30) : end] for end in refused] == []


@pytest.mark.parametrize(
    ("text", "validity"),
    [
        ("", Validity.VALID),
        ("imp", Validity.VALID),
        ("import", Validity.INCOMPLETE),
        ("x = 'ab", Validity.INCOMPLETE),
        ('"""abc', Validity.INCOMPLETE),
        ('"""abc""', Validity.INCOMPLETE),
        ("foo(", Validity.INCOMPLETE),
        ("if x:\n", Validity.INCOMPLETE),
        ("try:\n    pass\n", Validity.INCOMPLETE),
        ("@decorated\n", Validity.INCOMPLETE),
        ("f'{a", Validity.INCOMPLETE),
        ("x = 1 + \\", Validity.INCOMPLETE),
        ("for x i", Validity.INCOMPLETE),
        ("for x i ", Validity.INVALID),
        ("x = = ", Validity.INVALID),
        ("x = # why", Validity.INVALID),
        ("x = (# why", Validity.INCOMPLETE),
        ("x = 'ab\ny = 1", Validity.INVALID),
        ("f'{a b'", Validity.INVALID),
        ("'\\xZ", Validity.INVALID),
        ("'\\x4", Validity.INCOMPLETE),
        ("'\\\\U00", Validity.INCOMPLETE),
        ("f'{a:>{w", Validity.INCOMPLETE),
        ("f'{:", Validity.INVALID),
        ("0xdefn", Validity.INCOMPLETE),  # 0xdef not in x
        ("f() =", Validity.INCOMPLETE),  # f() == 1
        ("f() = ", Validity.INVALID),
        ("x!", Validity.INCOMPLETE),  # x != 1
        ("1e+", Validity.INCOMPLETE),
        ("0x", Validity.INCOMPLETE),
        ("if x:\ny", Validity.INVALID),
        ("x\n  y", Validity.INVALID),
        ("x\n  ", Validity.VALID),
        ("if x:\n  y\nel", Validity.VALID),  # a name so far
        ("if x:\n  y\nelse", Validity.INCOMPLETE),
        ("match x:\n  ca", Validity.INCOMPLETE),
        ("match x:\n  cat", Validity.INVALID),
        ("return 1\n", Validity.INVALID),
        ("def f():\n  return 1\nreturn 2\nx", Validity.INVALID),
        ("def f(a, a):\n  pa", Validity.INVALID),
        ("def g():\n  def f():\n    nonlocal q\n    ", Validity.INCOMPLETE),
        ("x\0", Validity.INVALID),
    ],
)
def test_beginning_is_classified(text: str, validity: Validity) -> None:
    assert PYTHON.check_prefix(text) is validity


@pytest.mark.parametrize("damage", [" )", " = =", " def", " 'x' 1", " else", "\n      x"])
def test_damage_in_the_middle_is_invalid(damage: str) -> None:
    text = (STDLIB / "textwrap.py").read_text(encoding="utf-8")
    middle = text.index("return ", len(text) // 3) + len("return ")
    broken = text[:middle] + damage + " " + text[middle:]
    assert PYTHON.check(broken) is not None
    assert PYTHON.check_prefix(broken) is Validity.INVALID
