"""The grammar of BSL and OneScript modules.

What the platform accepts: declarations of variables, then procedures and functions, then the
module's own statements; `;` between statements and optional before the keyword that ends a block.
Preprocessor lines are handled before the grammar sees the tokens (directives.py).
"""

from __future__ import annotations

from functools import cache

from nested_ray.languages.bsl.automaton import Table, build_table, many, maybe, one_of, seq
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
new = seq(K.NEW, one_of(seq(K.NAME, maybe(arguments)), arguments))
call_or_name = seq(K.NAME, maybe(arguments))
parenthesised = seq(K.OPEN, "expression", K.CLOSE)
operator = one_of(K.SIGN, K.OPERATOR, K.EQUAL, K.AND_OR)
unary = many(one_of(K.NOT, K.SIGN, K.AWAIT))
operand = seq(
    unary, one_of(constant, seq(one_of(call_or_name, parenthesised, ternary, new), links))
)
operations = many(operator, operand)
expression = seq(operand, operations)

# A statement that begins with a name assigns to a variable, property or element, or ends in a call.
place = seq(K.NAME, maybe(maybe(arguments), links, one_of(member, index)))
assignment = seq(place, K.EQUAL, "expression")
call = seq(K.NAME, one_of(arguments, seq(maybe(arguments), links, member, arguments)))

label = seq(K.TILDE, K.NAME, K.COLON)
block = seq(many(one_of(label, K.SEMICOLON, seq("statement", K.SEMICOLON))), maybe("statement"))
loop_body = seq(K.DO, block, K.END_DO)
if_statement = seq(
    *(K.IF, "expression", K.THEN, block),
    many(K.ELSIF, "expression", K.THEN, block),
    *(maybe(K.ELSE, block), K.END_IF),
)
for_statement = seq(
    K.FOR,
    one_of(
        seq(K.NAME, K.EQUAL, "expression", K.TO, "expression"),
        seq(K.EACH, K.NAME, K.IN, "expression"),
    ),
    loop_body,
)
raise_statement = seq(
    K.RAISE,
    # With parentheses: either a call with several arguments or the beginning of an expression.
    maybe(one_of(arguments, expression)),
)
statement = one_of(
    assignment,
    call,
    if_statement,
    for_statement,
    seq(K.WHILE, "expression", loop_body),
    seq(K.TRY, block, K.EXCEPT, block, K.END_TRY),
    seq(K.RETURN, maybe("expression")),
    raise_statement,
    K.CONTINUE,
    K.BREAK,
    seq(K.GOTO, K.TILDE, K.NAME),
    seq(K.EXECUTE, "expression"),
    seq(one_of(K.ADD_HANDLER, K.REMOVE_HANDLER), "expression", K.COMMA, "expression"),
    seq(K.AWAIT, "expression"),
)

literal = seq(maybe(K.SIGN), constant)
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
        seq(K.PROCEDURE, heading, block, K.END_PROCEDURE),
        seq(K.FUNCTION, heading, block, K.END_FUNCTION),
    ),
)
exported_name = seq(K.NAME, maybe(K.EXPORT))
variables = seq(annotations, K.VAR, exported_name, many(K.COMMA, exported_name), K.SEMICOLON)
module = seq(many(variables), many(method), block)


@cache
def table() -> Table:
    """The parsing table; built once, in a few milliseconds."""
    rules = {
        "module": module,
        "statement": statement,
        "expression": expression,
        "annotation": annotation,
    }
    return build_table(rules, "module", len(Kind))
