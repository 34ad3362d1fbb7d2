"""Token kinds and keyword spellings of BSL, Russian and English."""

from __future__ import annotations

from enum import IntEnum, auto


class Kind(IntEnum):
    """What a token is, as the grammar sees it."""

    END = 0
    """End of the text; never produced by the lexer."""
    ERROR = auto()
    """A character or an unfinished literal that no grammar rule accepts."""
    NAME = auto()
    NUMBER = auto()
    STRING = auto()
    DATE = auto()
    # Punctuation
    SEMICOLON = auto()
    COMMA = auto()
    DOT = auto()
    OPEN = auto()
    CLOSE = auto()
    OPEN_INDEX = auto()
    CLOSE_INDEX = auto()
    COLON = auto()
    TILDE = auto()
    AMPERSAND = auto()
    QUESTION = auto()
    EQUAL = auto()
    SIGN = auto()
    """`+` and `-`: binary and unary."""
    OPERATOR = auto()
    """`*`, `/`, `%` and the comparisons other than `=`."""
    DIRECTIVE = auto()
    """A preprocessor line, `#` to the end of the line."""
    # Keywords
    TRUE = auto()
    FALSE = auto()
    UNDEFINED = auto()
    NULL = auto()
    NOT = auto()
    AND_OR = auto()
    NEW = auto()
    AWAIT = auto()
    ASYNC = auto()
    VAR = auto()
    EXPORT = auto()
    VAL = auto()
    PROCEDURE = auto()
    END_PROCEDURE = auto()
    FUNCTION = auto()
    END_FUNCTION = auto()
    IF = auto()
    THEN = auto()
    ELSIF = auto()
    ELSE = auto()
    END_IF = auto()
    FOR = auto()
    EACH = auto()
    IN = auto()
    TO = auto()
    WHILE = auto()
    DO = auto()
    END_DO = auto()
    TRY = auto()
    EXCEPT = auto()
    END_TRY = auto()
    RAISE = auto()
    RETURN = auto()
    CONTINUE = auto()
    BREAK = auto()
    GOTO = auto()
    EXECUTE = auto()
    ADD_HANDLER = auto()
    REMOVE_HANDLER = auto()


SPELLINGS: dict[Kind, tuple[str, ...]] = {
    Kind.TRUE: ("истина", "true"),
    Kind.FALSE: ("ложь", "false"),
    Kind.UNDEFINED: ("неопределено", "undefined"),
    Kind.NULL: ("null",),
    Kind.NOT: ("не", "not"),
    Kind.AND_OR: ("и", "или", "or", "and"),
    Kind.NEW: ("новый", "new"),
    Kind.AWAIT: ("ждать", "await"),
    Kind.ASYNC: ("асинх", "async"),
    Kind.VAR: ("перем", "var"),
    Kind.EXPORT: ("экспорт", "export"),
    Kind.VAL: ("знач", "val"),
    Kind.PROCEDURE: ("процедура", "procedure"),
    Kind.END_PROCEDURE: ("конецпроцедуры", "endprocedure"),
    Kind.FUNCTION: ("функция", "function"),
    Kind.END_FUNCTION: ("конецфункции", "endfunction"),
    Kind.IF: ("если", "if"),
    Kind.THEN: ("тогда", "then"),
    Kind.ELSIF: ("иначеесли", "elsif"),
    Kind.ELSE: ("иначе", "else"),
    Kind.END_IF: ("конецесли", "endif"),
    Kind.FOR: ("для", "for"),
    Kind.EACH: ("каждого", "each"),
    Kind.IN: ("из", "in"),
    Kind.TO: ("по", "to"),
    Kind.WHILE: ("пока", "while"),
    Kind.DO: ("цикл", "do"),
    Kind.END_DO: ("конеццикла", "enddo"),
    Kind.TRY: ("попытка", "try"),
    Kind.EXCEPT: ("исключение", "except"),
    Kind.END_TRY: ("конецпопытки", "endtry"),
    Kind.RAISE: ("вызватьисключение", "raise"),
    Kind.RETURN: ("возврат", "return"),
    Kind.CONTINUE: ("продолжить", "continue"),
    Kind.BREAK: ("прервать", "break"),
    Kind.GOTO: ("перейти", "goto"),
    Kind.EXECUTE: ("выполнить", "execute"),
    Kind.ADD_HANDLER: ("добавитьобработчик", "addhandler"),
    Kind.REMOVE_HANDLER: ("удалитьобработчик", "removehandler"),
}

PUNCTUATION: dict[str, Kind] = {
    ";": Kind.SEMICOLON,
    ",": Kind.COMMA,
    ".": Kind.DOT,
    "(": Kind.OPEN,
    ")": Kind.CLOSE,
    "[": Kind.OPEN_INDEX,
    "]": Kind.CLOSE_INDEX,
    ":": Kind.COLON,
    "~": Kind.TILDE,
    "&": Kind.AMPERSAND,
    "?": Kind.QUESTION,
    "=": Kind.EQUAL,
    "+": Kind.SIGN,
    "-": Kind.SIGN,
    **dict.fromkeys(("*", "/", "%", "<", "<=", ">", ">=", "<>"), Kind.OPERATOR),
}

KEYWORDS: dict[str, Kind] = {word: kind for kind, words in SPELLINGS.items() for word in words}
"""Lower-case spelling to kind."""

WORDS: tuple[Kind, ...] = (Kind.NAME, *SPELLINGS)
"""Kinds that a name after a dot or an ampersand may have."""


def describe(kind: Kind) -> str:
    """The kind as a person would write it in a message."""
    if kind in SPELLINGS:
        return "`" + "`/`".join(spelled(word) for word in SPELLINGS[kind]) + "`"
    for text, punctuation in PUNCTUATION.items():
        if punctuation is kind:
            return "an operator" if kind in (Kind.SIGN, Kind.OPERATOR) else f"`{text}`"
    return "the end of the text" if kind is Kind.END else f"a {kind.name.lower()}"


_CAMEL = {
    word.lower(): word
    for word in (
        *("КонецЕсли", "ИначеЕсли", "КонецЦикла", "КонецПопытки", "КонецПроцедуры", "КонецФункции"),
        *("ВызватьИсключение", "ДобавитьОбработчик", "УдалитьОбработчик"),
        *("EndIf", "ElsIf", "EndDo", "EndTry", "EndProcedure", "EndFunction"),
        *("AddHandler", "RemoveHandler"),
    )
}


def spelled(word: str) -> str:
    """A keyword in the usual case: `КонецЕсли`, `Если`, `NULL`."""
    return "NULL" if word == "null" else _CAMEL.get(word, word.capitalize())


def as_written(kind: Kind, is_english: bool) -> str:
    """The kind as it stands in a text; a word for it (`name`, `operator`) where many would do."""
    if kind in SPELLINGS:
        return spelled(SPELLINGS[kind][-1 if is_english else 0])
    if kind in (Kind.OPERATOR, Kind.END):
        return "operator" if kind is Kind.OPERATOR else "end of text"
    marks = [text for text, punctuation in PUNCTUATION.items() if punctuation is kind]
    return marks[0] if marks else kind.name.lower()
