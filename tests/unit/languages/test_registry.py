import time

import pytest

from nested_ray.languages import LANGUAGES, get_language, guess_language, language_of


@pytest.mark.parametrize(
    ("path", "name"),
    [("a/b.py", "python"), ("x.pyi", "python"), ("М.bsl", "bsl"), ("С.OS", "bsl")],
)
def test_language_of_goes_by_extension(path: str, name: str) -> None:
    language = language_of(path)
    assert language is get_language(name)


def test_language_of_reads_the_first_line_without_extension() -> None:
    assert language_of("bin/run", "#!/usr/bin/env python3\n") is get_language("python")
    assert language_of("bin/run", "#!/usr/bin/oscript\n") is get_language("bsl")
    assert language_of("Makefile", "all:\n") is None
    assert language_of("a.txt", "#!/usr/bin/python\n") is None


def test_get_language_names_the_languages_there_are() -> None:
    with pytest.raises(ValueError, match="there are: python, bsl"):
        get_language("cobol")


def test_no_two_languages_share_a_name_or_an_extension() -> None:
    endings = [ending for language in LANGUAGES for ending in language.extensions]
    assert len(endings) == len(set(endings))
    assert len(LANGUAGES) == len({language.name for language in LANGUAGES})


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    ret",
        "import os",
        "x = 1",
        "for i in range(10):\n    print(i)",
        "",
        "# Привет\nимя = None",
    ],
)
def test_python_is_guessed(text: str) -> None:
    assert guess_language(text).name == "python"


@pytest.mark.parametrize(
    "text",
    [
        "Процедура Запи",
        "Если Отказ Тогда\n\tВозврат",
        "Function Total() Export\n\tReturn 1;\nEndFunction",
        "// Возвращает сумму\n&НаСервере",
        "Запрос = Новый Запрос;",
        "If A = 1 Then\n\tB();",
        "Выборка.",
    ],
)
def test_bsl_is_guessed(text: str) -> None:
    assert guess_language(text).name == "bsl"


@pytest.mark.parametrize("text", ["Сумма\r\nИтог\r\n", "\n\n  \n\tСумма"])
def test_signs_are_found_behind_any_line_end(text: str) -> None:
    assert guess_language(text).name == "bsl"


@pytest.mark.parametrize(
    "unit", ["\n", " ", "\t\n", "\r\n", ";", "; ", ":\t", "_", "@a ", "//", "#! "]
)
def test_guessing_costs_about_the_same_per_character(unit: str) -> None:
    """Twenty times the text, up to what is looked at, costs about twenty times the time."""
    short, long = (_guessing_time(unit * (size // len(unit))) for size in (1_000, 20_000))
    assert long < 100 * short  # 400 times where every repeat looks at all that follow
    assert _guessing_time(unit * 200_000) < 10 * long


def _guessing_time(text: str) -> float:
    def once() -> float:
        start = time.perf_counter()
        guess_language(text)
        return time.perf_counter() - start

    return min(once() for _ in range(5))
