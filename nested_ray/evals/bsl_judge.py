"""Whether a BSL module is valid, said by a second reader that shares nothing with the checker but spellings.

A plain recursive descent over its own tokens, once for every place a module can run. It is slow and says
no more than yes or no; its use is to tell which changed texts a checker has to refuse.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from nested_ray.evals.bsl_judge_lines import (
    KEYWORDS,
    PLACES,
    Invalid,
    Lexeme,
    limit,
    own_symbols,
    select,
)

_LEX = re.compile(
    r"""(?P<blank>[\s\ufeff\u200b]+|//[^\r\n]*)
    |(?P<deleted>\#[ \t]*(?:удаление|delete)\b.*?\#[ \t]*(?:конецудаления|enddelete)[^\r\n]*)
    |(?P<line>\#[^\r\n]*)
    |(?P<word>[^\W\d]\w*)
    |(?P<number>\d+(?:\.\d*)?)
    |(?P<date>'[^'\r\n]*')
    |(?P<string>"(?:[^"\r\n]|"")*(?:(?:\r\n?|\n)(?:[ \t\f]*(?://[^\r\n]*|\#[^\r\n]*)?(?:\r\n?|\n))*
        [ \t\f]*\|(?:[^"\r\n]|"")*)*")
    |(?P<mark><>|<=|>=|[-+*/%<>=.,;:()\[\]~&?])
    |(?P<error>.)""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def stays_valid(text: str) -> bool:
    """Whether the text is a module in every place it can run.

    Raises ValueError for text nested deeper than any program: this reader is for real modules.
    """
    try:
        lexemes = _lex(text)
        own = own_symbols(lexemes)
        seen: list[list[Lexeme]] = []
        for symbols in (*PLACES, *(place | own for place in PLACES if own)):
            selected = select(lexemes, symbols)
            if selected not in seen:
                seen.append(selected)
                _Module(selected).read()
    except Invalid:
        return False
    return True


def _lex(text: str) -> list[Lexeme]:
    lexemes: list[Lexeme] = []
    is_async = False
    for match in _LEX.finditer(text):
        group, spelling = match.lastgroup, match[0].lower()
        if group in ("blank", "deleted"):
            continue
        tag = group or ""
        if group == "word":
            tag = KEYWORDS.get(spelling, "name")
        elif group == "mark":
            tag = spelling
        elif group == "date":
            tag = "date" if sum(map(str.isdecimal, spelling)) in (8, 12, 14) else "error"
        if tag in ("процедура", "функция"):
            is_async = bool(lexemes) and lexemes[-1][0] == "асинх"
        elif tag in ("конецпроцедуры", "конецфункции"):
            is_async = False
        elif tag == "ждать" and not is_async:
            tag = "name"
        lexemes.append((tag, spelling))
    return lexemes


_BINARY = ("+", "-", "*", "/", "%", "=", "<>", "<", "<=", ">", ">=", "и")
_CONSTANTS = ("number", "date", "истина", "ложь", "неопределено", "null")


class _Module:
    """Reads a module; `read` raises Invalid where it is none."""

    def __init__(self, lexemes: list[Lexeme]) -> None:
        self.lexemes = [*lexemes, ("end", "")]
        self.position = 0
        self.depth = 0
        self.method = "module"
        self.loops = 0
        self.handlers = 0
        self.labels: set[str] = set()
        self.jumps: set[str] = set()

    # Reading single lexemes

    @property
    def tag(self) -> str:
        return self.lexemes[self.position][0]

    def ahead(self) -> str:
        return self.lexemes[min(self.position + 1, len(self.lexemes) - 1)][0]

    def take(self, *tags: str) -> bool:
        found = self.tag in tags
        self.position += found and self.tag != "end"
        return found

    def need(self, *tags: str) -> str:
        """The spelling of the lexeme that has to stand here."""
        spelling = self.lexemes[self.position][1]
        if not self.take(*tags):
            raise Invalid
        return spelling

    def word(self) -> str:
        """A name or a keyword in the place of a name."""
        if self.tag != "name" and self.tag not in KEYWORDS.values():
            raise Invalid
        self.position += 1
        return self.lexemes[self.position - 1][1]

    # Declarations

    def read(self) -> None:
        names: set[tuple[str, ...]] = set()
        directives = self.annotations()
        while self.tag == "перем":
            self.variables(names, directives, exported=True)
            directives = self.annotations()
        methods: set[tuple[str, ...]] = set()
        while self.tag in ("асинх", "процедура", "функция"):
            self.method_definition(methods, directives)
            directives = self.annotations()
        if directives:
            raise Invalid
        self.block()
        self.need("end")
        self.check_labels()

    def annotations(self) -> tuple[str, ...]:
        start = self.position
        while self.tag == "&":
            self.annotation()
        return tuple(spelling for _, spelling in self.lexemes[start : self.position])

    def annotation(self) -> None:
        self.need("&")
        self.word()
        if self.take("(") and not self.take(")"):
            self.annotation_parameter()
            while self.take(","):
                self.annotation_parameter()
            self.need(")")

    def annotation_parameter(self) -> None:
        if self.take("name"):
            if self.take("="):
                self.annotation_value()
        else:
            self.annotation_value()

    def annotation_value(self) -> None:
        if self.tag == "&":
            self.nested(self.annotation)
        else:
            self.literal()

    def literal(self) -> None:
        if self.take("+", "-"):
            self.need("number")
        elif self.take("string"):
            while self.take("string"):
                pass
        else:
            self.need(*_CONSTANTS)

    def variables(self, names: set[tuple[str, ...]], mark: tuple[str, ...], exported: bool) -> None:
        self.need("перем")
        while True:
            self.bind(names, self.need("name"), mark)
            if exported:
                self.take("экспорт")
            if not self.take(","):
                break
        self.need(";")

    def bind(self, names: set[tuple[str, ...]], name: str, mark: tuple[str, ...] = ()) -> None:
        if (name, *mark) in names:
            raise Invalid
        names.add((name, *mark))

    def method_definition(self, methods: set[tuple[str, ...]], mark: tuple[str, ...]) -> None:
        self.take("асинх")
        self.method = self.need("процедура", "функция")
        self.method = "процедура" if self.method in ("процедура", "procedure") else "функция"
        self.bind(methods, self.need("name"), mark)
        names: set[tuple[str, ...]] = set()
        self.need("(")
        if not self.take(")"):
            self.parameter(names)
            while self.take(","):
                self.parameter(names)
            self.need(")")
        self.take("экспорт")
        while self.tag == "перем":
            self.variables(names, (), exported=False)
        self.block()
        self.need("конец" + self.method.replace("а", "ы").replace("я", "и"))
        self.check_labels()
        self.method = "module"

    def parameter(self, names: set[tuple[str, ...]]) -> None:
        self.annotations()
        self.take("знач")
        self.bind(names, self.need("name"))
        if self.take("="):
            self.literal()

    def check_labels(self) -> None:
        if self.jumps - self.labels:
            raise Invalid
        self.labels, self.jumps = set(), set()

    # Statements

    def nested(self, read: Callable[[], None]) -> None:
        self.depth += 1
        limit(self.depth)
        read()
        self.depth -= 1

    def block(self) -> None:
        """Statements up to a word that begins none."""
        while True:
            if self.take(";"):
                continue
            if self.tag == "~":
                self.label()
            elif self.tag == "name" or self.tag in _STATEMENTS:
                self.nested(self.statement)
                if not self.take(";"):
                    return
            else:
                return

    def label(self) -> None:
        self.need("~")
        name = self.need("name")
        self.need(":")
        if name in self.labels:
            raise Invalid
        self.labels.add(name)

    def statement(self) -> None:
        if self.tag == "name":
            self.assignment_or_call()
        else:
            keyword = self.tag
            self.position += 1
            _STATEMENTS[keyword](self)

    def assignment_or_call(self) -> None:
        self.need("name")
        ends_in_call = self.take_arguments()
        is_place = not ends_in_call
        while self.tag in (".", "["):
            ends_in_call, is_place = self.link()
        if self.tag == "=" and is_place:
            self.position += 1
            self.expression()
        elif not ends_in_call:
            raise Invalid

    def link(self) -> tuple[bool, bool]:
        """`.Имя`, `.Имя(...)` or `[...]`: whether it is a call, and whether it can be assigned."""
        if self.take("["):
            self.expression()
            self.need("]")
            return False, True
        self.need(".")
        self.word()
        is_call = self.take_arguments()
        return is_call, not is_call

    def take_arguments(self) -> bool:
        if not self.take("("):
            return False
        while not self.take(")"):
            if self.take(","):
                continue
            self.expression()
            if self.tag not in (",", ")"):
                raise Invalid
        return True

    def if_statement(self) -> None:
        self.expression()
        self.need("тогда")
        self.block()
        while self.take("иначеесли"):
            self.expression()
            self.need("тогда")
            self.block()
        if self.take("иначе"):
            self.block()
        self.need("конецесли")

    def for_statement(self) -> None:
        if self.take("каждого"):
            self.need("name")
            self.need("из")
            self.expression()
        else:
            self.need("name")
            self.need("=")
            self.expression()
            self.need("по")
            self.expression()
        self.loop()

    def while_statement(self) -> None:
        self.expression()
        self.loop()

    def loop(self) -> None:
        self.need("цикл")
        self.loops += 1
        self.block()
        self.loops -= 1
        self.need("конеццикла")

    def try_statement(self) -> None:
        self.block()
        self.need("исключение")
        self.handlers += 1
        self.block()
        self.handlers -= 1
        self.need("конецпопытки")

    def raise_statement(self) -> None:
        if self.handlers and not self.begins_expression():
            return
        if self.tag == "(" and self.raises_with_arguments():
            self.take_arguments()
        else:
            self.expression()

    def raises_with_arguments(self) -> bool:
        """Whether the bracket here holds arguments and not the beginning of an expression."""
        start, depth = self.position, self.depth
        try:
            self.take_arguments()
        except Invalid:
            return False
        finally:
            after, self.position, self.depth = self.tag, start, depth
        return after not in (*_BINARY, ".", "[")

    def begins_expression(self) -> bool:
        first = ("name", "string", "(", "?", "новый", "не", "+", "-", "ждать", *_CONSTANTS)
        return self.tag in first

    def return_statement(self) -> None:
        if self.method == "module":
            raise Invalid
        if self.method == "функция":
            self.expression()

    def jump_in_loop(self) -> None:
        if not self.loops:
            raise Invalid

    def goto_statement(self) -> None:
        self.need("~")
        self.jumps.add(self.need("name"))

    def handler_statement(self) -> None:
        self.expression()
        self.need(",")
        self.expression()

    # Expressions

    def expression(self) -> None:
        self.nested(self.operations)

    def operations(self) -> None:
        self.operand()
        while self.take(*_BINARY):
            self.operand()

    def operand(self) -> None:
        self.take("не")
        self.take("+", "-")
        self.take("ждать")
        if self.take("string"):
            while self.take("string"):
                pass
            return
        if self.take(*_CONSTANTS):
            return
        if self.take("("):
            self.expression()
            self.need(")")
        elif self.take("?"):
            self.ternary()
        elif self.take("новый"):
            self.creation()
        else:
            self.need("name")
            self.take_arguments()
        while self.tag in (".", "["):
            self.link()

    def ternary(self) -> None:
        for mark in ("(", ",", ","):
            self.need(mark)
            self.expression()
        self.need(")")

    def creation(self) -> None:
        if self.take("name"):
            self.take_arguments()
            return
        if self.ahead() in (",", ")"):
            raise Invalid
        self.need("(")
        self.position -= 1
        self.take_arguments()


_STATEMENTS: dict[str, Callable[[_Module], None]] = {
    "если": _Module.if_statement,
    "для": _Module.for_statement,
    "пока": _Module.while_statement,
    "попытка": _Module.try_statement,
    "вызватьисключение": _Module.raise_statement,
    "возврат": _Module.return_statement,
    "прервать": _Module.jump_in_loop,
    "продолжить": _Module.jump_in_loop,
    "перейти": _Module.goto_statement,
    "выполнить": _Module.expression,
    "ждать": _Module.expression,
    "добавитьобработчик": _Module.handler_statement,
    "удалитьобработчик": _Module.handler_statement,
}
