"""The grammar of BSL and OneScript modules.

What the platform accepts: declarations of variables, then procedures and functions, then the
module's own statements; `;` between statements and optional before the keyword that ends a block.
Preprocessor lines are handled before the grammar sees the tokens (directives.py).
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Literal, NamedTuple

from nested_ray.languages.bsl.automaton import Part, Table, build_table, many, maybe, one_of, seq
from nested_ray.languages.bsl.keywords import WORDS, Kind

K = Kind

any_word = one_of(*WORDS)
constant = one_of(
    K.NUMBER, seq(K.STRING, many(K.STRING)), K.DATE, K.TRUE, K.FALSE, K.UNDEFINED, K.NULL
)
arguments = seq(K.OPEN, maybe("expression"), many(K.COMMA, maybe("expression")), K.CLOSE)
member = seq(K.DOT, any_word)
index = seq(K.OPEN_INDEX, "expression", K.CLOSE_INDEX)
links = many(one_of(seq(member, maybe(arguments)), index))

ternary = seq(
    *(K.QUESTION, K.OPEN, "expression", K.COMMA, "expression", K.COMMA, "expression", K.CLOSE)
)
type_by_expression = seq(K.OPEN, "expression", many(K.COMMA, maybe("expression")), K.CLOSE)
new = seq(K.NEW, one_of(seq(K.NAME, maybe(arguments)), type_by_expression))
call_or_name = seq(K.NAME, maybe(arguments))
parenthesised = seq(K.OPEN, "expression", K.CLOSE)
operator = one_of(K.SIGN, K.OPERATOR, K.EQUAL, K.AND_OR)
unary = seq(maybe(K.NOT), maybe(K.SIGN), maybe(K.AWAIT))
operand = seq(
    unary, one_of(constant, seq(one_of(call_or_name, parenthesised, ternary, new), links))
)
expression = seq(operand, many(operator, operand))

# A statement that begins with a name assigns to a variable, property or element, or ends in a call.
place = seq(K.NAME, maybe(maybe(arguments), links, one_of(member, index)))
assignment = seq(place, K.EQUAL, "expression")
call = seq(K.NAME, one_of(arguments, seq(maybe(arguments), links, member, arguments)))
label = seq(K.TILDE, K.NAME, K.COLON)


Method = Literal["procedure", "function", "module"]
METHODS: tuple[Method, ...] = ("procedure", "function", "module")


class Place(NamedTuple):
    """Where a statement stands, as far as it decides which statements are allowed."""

    method: Method
    in_loop: bool = False
    in_except: bool = False

    @property
    def rule(self) -> str:
        return f"statement of {self.method}{' loop' * self.in_loop}{' except' * self.in_except}"


def block(place: Place) -> Part:
    """Statements with `;` between them."""
    return seq(
        many(one_of(label, K.SEMICOLON, seq(place.rule, K.SEMICOLON))),
        maybe(place.rule),
    )


def statement(place: Place) -> Part:
    """Any statement that may stand at the place."""
    body = block(place)
    loop_body = seq(K.DO, block(place._replace(in_loop=True)), K.END_DO)
    return one_of(
        assignment,
        call,
        _if_statement(body),
        _for_statement(loop_body),
        seq(K.WHILE, "expression", loop_body),
        seq(K.TRY, body, K.EXCEPT, block(place._replace(in_except=True)), K.END_TRY),
        seq(K.GOTO, K.TILDE, K.NAME),
        seq(K.EXECUTE, "expression"),
        seq(one_of(K.ADD_HANDLER, K.REMOVE_HANDLER), "expression", K.COMMA, "expression"),
        seq(K.AWAIT, "expression"),
        *_jumps(place),
    )


def _if_statement(body: Part) -> Part:
    return seq(
        *(K.IF, "expression", K.THEN, body),
        many(K.ELSIF, "expression", K.THEN, body),
        *(maybe(K.ELSE, body), K.END_IF),
    )


def _for_statement(loop_body: Part) -> Part:
    counted = seq(K.NAME, K.EQUAL, "expression", K.TO, "expression")
    each = seq(K.EACH, K.NAME, K.IN, "expression")
    return seq(K.FOR, one_of(counted, each), loop_body)


def _jumps(place: Place) -> list[Part]:
    # After `(`: either a call with several arguments or the beginning of an expression.
    reason = one_of(arguments, expression)
    jumps: list[Part] = [seq(K.RAISE, maybe(reason) if place.in_except else reason)]
    if place.in_loop:
        jumps += [K.CONTINUE, K.BREAK]
    if place.method == "procedure":
        jumps.append(K.RETURN)
    elif place.method == "function":
        jumps.append(seq(K.RETURN, "expression"))
    return jumps


literal = one_of(seq(maybe(K.SIGN), K.NUMBER), constant)
annotation_value = one_of(literal, "annotation")
annotation_parameter = one_of(seq(K.NAME, maybe(K.EQUAL, annotation_value)), annotation_value)
annotation = seq(
    *(K.AMPERSAND, any_word),
    maybe(
        *(K.OPEN, maybe(annotation_parameter, many(K.COMMA, annotation_parameter)), K.CLOSE),
    ),
)
annotations = many("annotation")

parameter = seq(annotations, maybe(K.VAL), K.NAME, maybe(K.EQUAL, literal))
parameters = seq(K.OPEN, maybe(parameter, many(K.COMMA, parameter)), K.CLOSE)
local_variables = many(K.VAR, K.NAME, many(K.COMMA, K.NAME), K.SEMICOLON)
heading = seq(K.NAME, parameters, maybe(K.EXPORT), local_variables)
method = seq(
    annotations,
    maybe(K.ASYNC),
    one_of(
        seq(K.PROCEDURE, heading, block(Place("procedure")), K.END_PROCEDURE),
        seq(K.FUNCTION, heading, block(Place("function")), K.END_FUNCTION),
    ),
)
exported_name = seq(K.NAME, maybe(K.EXPORT))
variables = seq(annotations, K.VAR, exported_name, many(K.COMMA, exported_name), K.SEMICOLON)
module = seq(many(variables), many(method), block(Place("module")))


@cache
def table() -> Table:
    """The parsing table; built once, in a few milliseconds."""
    rules: dict[str, Part] = {
        "module": module,
        "expression": expression,
        "annotation": annotation,
    }
    for method, in_loop, in_except in product(METHODS, (False, True), (False, True)):
        place = Place(method, in_loop, in_except)
        rules[place.rule] = statement(place)
    return build_table(rules, "module", len(Kind))
