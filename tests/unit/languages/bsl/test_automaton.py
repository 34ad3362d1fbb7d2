from itertools import accumulate, product

import pytest

from nested_ray.languages.bsl.automaton import (
    ERROR,
    FIRST_PUSH,
    RETURN,
    Table,
    build_table,
    many,
    maybe,
    one_of,
    seq,
)
from nested_ray.languages.bsl.grammar import table
from nested_ray.languages.bsl.keywords import KEYWORDS, Kind
from nested_ray.languages.bsl.lexer import tokenize
from nested_ray.languages.bsl.machine import Config, accepts, advance, expected


def test_ambiguous_rules_are_refused() -> None:
    rules = {"module": one_of("a", "b"), "a": seq(1, 2), "b": seq(1, 3)}
    with pytest.raises(ValueError, match="module is ambiguous at token kind 1"):
        build_table(rules, "module", 4)


def test_rules_that_can_be_empty_are_refused() -> None:
    with pytest.raises(ValueError, match="rule a can be empty"):
        build_table({"module": seq(1, "a"), "a": maybe(2)}, "module", 3)


def accepts_word(built: Table, word: tuple[int, ...]) -> bool:
    state, stack = built.start, []
    for kind in (*word, 0):
        while (action := built.rows[state][kind]) == RETURN:
            if not stack:
                return kind == 0
            state = stack.pop()
        if action == ERROR:
            return False
        if action <= FIRST_PUSH:
            returns, action = built.pushes[FIRST_PUSH - action]
            stack.extend(returns)
        state = action
    return False


def is_balanced(word: tuple[int, ...]) -> bool:
    depths = list(accumulate(1 if kind == 1 else -1 for kind in word))
    return min(depths, default=0) >= 0 and (not depths or depths[-1] == 0)


def test_table_of_balanced_parentheses_accepts_exactly_the_balanced_words() -> None:
    built = build_table({"module": many("pair"), "pair": seq(1, many("pair"), 2)}, "module", 3)
    for length in range(9):
        for word in product((1, 2), repeat=length):
            assert accepts_word(built, word) == is_balanced(word)


def test_expected_kinds_are_those_that_advance() -> None:
    kinds = tokenize("Процедура А(Знач Б = 1) Если ?(А, Б.В").kinds
    config: Config | None = Config(table().start)
    for kind in kinds:
        assert config
        following, _ = advance(config, [kind])
        for other in Kind:
            if other is not Kind.END:
                assert accepts(config, other) == (advance(config, [other])[0] is not None)
        assert kind in expected(config)
        config = following


def test_a_million_open_parentheses_need_no_recursion() -> None:
    config, read = advance(Config(table().start), tokenize("А = " + "(" * 1_000_000).kinds)
    assert config and read == 1_000_002 and len(config.stack) >= 1_000_000


def test_every_keyword_is_known_in_any_case() -> None:
    for word, kind in KEYWORDS.items():
        assert tokenize(word.upper()).kinds == tokenize(word.capitalize()).kinds == [kind]
