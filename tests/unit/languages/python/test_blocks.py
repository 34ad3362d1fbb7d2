"""A file read block by block; the compiler's verdict on the whole is the reference."""

import random
import sysconfig
import threading
from pathlib import Path

import pytest

from nested_ray.languages import get_language
from nested_ray.languages.python.verdicts import Setting, Verdict, Verdicts

PYTHON = get_language("python")
STDLIB = Path(sysconfig.get_paths()["stdlib"])
PARTS = (
    '(|)|]|{|"|\'|"""|\n|\n    |\n        |\n\nx = 1\n|global x|\nglobal x\n|\\|\\\n|#|@|def f():\n|'
    "class A:\n|else:\n|except:\n|try:\n|return|yield|x|=|:=|:|f'{|}'|from __future__ import annotations\n|"
    "nonlocal x|from x import *|\n(x); global os\n|await x|\t|\f|\r|\0|pass\n|'''\nfoo\nbar\n'''\n"
).split("|")


@pytest.mark.parametrize("name", ["enum.py", "dataclasses.py", "textwrap.py", "asyncio/locks.py"])
def test_an_insertion_is_judged_like_the_whole_file(name: str) -> None:
    text = (STDLIB / name).read_text(encoding="utf-8")
    draw = random.Random(name)
    verdicts = []
    for _ in range(50):
        start = draw.randrange(len(text))
        start = text.rfind("\n", 0, start) + 1 if draw.random() < 0.5 else start
        end = start + draw.choice((0, 0, draw.randrange(150)))
        copied = draw.randrange(len(text))
        parts = [*draw.choices(PARTS, k=draw.randrange(4)), text[copied : copied + 40]]
        inserted = "".join(parts[: draw.randrange(1, 5)])
        expected = PYTHON.check(text[:start] + inserted + text[end:]) is None
        assert PYTHON.check_insert(text[:start], inserted, text[end:]) is expected, (
            start,
            inserted,
        )
        verdicts.append(expected)
    assert set(verdicts) == {True, False}


MEMBERS = "".join(f"    def m{i}(self):\n        return {i}\n" for i in range(80))


@pytest.mark.parametrize(
    "text",
    [
        "x = 1\nglobal x\n",
        "x = 1\nif x:\n    global x\n",
        "def f(): pass\n(x); global f\n",
        "x = 1\nfrom __future__ import annotations\n",
        "x = 1; from __future__ import annotations\n",
        "from __future__ import annotations\nx: (yield)\n",
        "from __future__ import annotations\ny = 1\ndef f(x: (z := 1)): pass\n",
        "s = '''\nelse\nx = (\n'''\ny = 1\n",
        "x = (\nfoo\n+ bar)\ny = 1\n",
        "x = 1\\\ny = 2\n",
        "x = \\\ny\n",
        "@x\n@y\n\n# why\ndef f(): pass\n",
        "@x\ny = 1\n",
        "if x:\n    y\nx = 1\nelse: z\n",
        "class A:\n" + MEMBERS + "    x = 1\n    global x\n",
        "class A:\n" + MEMBERS + "    x = '''\nfoo\n'''\n" + MEMBERS,
        "class A:\n" + MEMBERS + "(x)\n" + MEMBERS,
        "class A:\n" + MEMBERS + "  x = 1\n" + MEMBERS,
        "class A:\n" + MEMBERS + "\fif x:\n        y\n" + MEMBERS,
        "class A:\n" + MEMBERS + "    def f(self):\n        x\ry\n" + MEMBERS,
        "class A:\n" + MEMBERS + "if x:\n" + MEMBERS + "    from y import *\n",
        "class A(metaclass=f({1:\n    2})):\n" + MEMBERS,
        "class A: x = {1:\n    2}\n" + MEMBERS,
        "class A:\n" + MEMBERS + "    nonlocal m1\n",
        "class A:\n    # why\n    #\n" + MEMBERS,
        "class A: # why\r    global m1\n" + MEMBERS,
        "class A:\n    # why\r    global m1\n" + MEMBERS,
        "class A:\n    # \0\n" + MEMBERS,
        "class A(  # why :\n    B\n):\n" + MEMBERS,
        "class A:\n"
        + MEMBERS
        + "    x = '''\nfoo\nbar\n''', \"\"\"\nfoo\n\"\"\"\n"
        + MEMBERS
        + "x\n",
        "class A:\n" + MEMBERS + "    x = (\nfoo,\nbar,\nfoo)\n" + MEMBERS + "x\ny\nz\n",
        "class A:\n" + MEMBERS + "    x = (\nfoo,\nbar,\nfoo)\n" + MEMBERS + "x\ny\nglobal z\n",
    ],
)
def test_what_blocks_say_of_each_other_is_heard(text: str) -> None:
    for cut in (0, len(text) // 2, len(text)):
        whole = PYTHON.check(text) is None
        assert PYTHON.check_insert(text[:cut], "", text[cut:]) is whole
        assert PYTHON.check_insert(text[:cut], "\r\n"[: cut % 3], text[cut:]) is (
            PYTHON.check(text[:cut] + "\r\n"[: cut % 3] + text[cut:]) is None
        )


def test_verdicts_are_kept_within_bounds_by_any_number_of_threads() -> None:
    verdicts = Verdicts(max_chars=60, max_blocks=5)

    def ask() -> None:
        for number in range(300):
            text = f"x = {number % 12}\n"
            assert verdicts.of(text, Setting()) is Verdict.WHOLE
            assert verdicts.of(text[:-1] + "(", Setting()) is Verdict.OPEN

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 0 < verdicts.num_chars <= 60


def test_a_file_too_long_for_the_compiler_is_said_to_be() -> None:
    text = "x\n" * 1_000_001
    issue = PYTHON.check(text)
    assert issue and "too long to be checked" in issue.message
    assert not PYTHON.check_insert(text, "", "x\n")
    assert PYTHON.symbols(text).uses == ()


@pytest.mark.parametrize("text", ["import a" + ".a" * 6_000, "f'" + "{x}" * 40_000 + "'"])
def test_what_costs_the_compiler_too_much_is_refused(text: str) -> None:
    issue = PYTHON.check(text)
    assert issue and issue.message.startswith("too many")
