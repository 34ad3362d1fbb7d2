"""Tokens → scopes, the names they bind and what uses them; made from broken text too.

A method is a scope. A variable comes to be where it is assigned first, and a name before a bracket is
looked up among methods, any other among variables: both may have the same name.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nested_ray.languages.base import Scope, Span, Symbol, SymbolKind, SymbolTable, Use
from nested_ray.languages.bsl.keywords import WORDS, Kind
from nested_ray.languages.bsl.lexer import Tokens

_HEADS = (Kind.PROCEDURE, Kind.FUNCTION)
_TAILS = (Kind.END_PROCEDURE, Kind.END_FUNCTION)
_WORDS = frozenset(WORDS)
_NO_USE_AFTER = (Kind.DOT, Kind.NEW, Kind.AMPERSAND)

# What stands before a name inside an expression; after anything else `Имя =` is an assignment.
_EXPRESSION_GOES_ON = frozenset(
    (
        *(Kind.EQUAL, Kind.SIGN, Kind.OPERATOR, Kind.AND_OR, Kind.NOT, Kind.AWAIT, Kind.QUESTION),
        *(Kind.OPEN, Kind.OPEN_INDEX, Kind.COMMA, Kind.IF, Kind.ELSIF, Kind.WHILE, Kind.RETURN),
        *(Kind.IN, Kind.TO, Kind.RAISE, Kind.EXECUTE, Kind.ADD_HANDLER, Kind.REMOVE_HANDLER),
    )
)


@dataclass
class _Method:
    """The scope being read: what its names mean."""

    scope: int = 0
    variables: dict[str, int] = field(default_factory=dict)
    labels: dict[str, int] = field(default_factory=dict)
    jumps: list[int] = field(default_factory=list)
    """Uses of labels, which may be set further down."""


@dataclass
class _Scan:
    """One walk over the tokens."""

    tokens: Tokens
    kinds: list[Kind]
    scopes: list[Scope] = field(default_factory=list)
    symbols: list[Symbol] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)
    methods: dict[str, int] = field(default_factory=dict)
    module_variables: dict[str, int] = field(default_factory=dict)
    """Those that `Перем` declares: methods see them, unlike the variables of the module's statements."""

    def kind(self, index: int) -> Kind:
        return self.kinds[index] if 0 <= index < len(self.kinds) else Kind.END

    def span(self, index: int) -> Span:
        return Span(self.tokens.starts[index], self.tokens.end(index))

    def bind(self, index: int, kind: SymbolKind, scope: int) -> int:
        name = self.tokens.spellings[index]
        self.symbols.append(Symbol(name, kind, scope, self.span(index)))
        return len(self.symbols) - 1

    def variable(self, method: _Method, folded: str) -> int | None:
        return method.variables.get(folded, self.module_variables.get(folded))

    def use(self, index: int, scope: int, symbol: int | None, is_write: bool = False) -> None:
        name = self.tokens.spellings[index]
        self.uses.append(Use(name, self.span(index), scope, symbol, is_write))


def symbol_table(tokens: Tokens, kinds: list[Kind]) -> SymbolTable:
    """Scopes, symbols and uses in order of appearance."""
    scan = _Scan(tokens, kinds)
    scan.scopes.append(Scope("module", "", Span(0, len(tokens.text)), None))
    _bind_methods(scan)
    module = _Method()
    index = 0
    while index < len(kinds):
        if _is_head(scan, index):
            index = _read_method(scan, index)
        else:
            index = _read_token(scan, module, index)
    _resolve_jumps(scan, module)
    order = sorted(range(len(scan.symbols)), key=lambda one: scan.symbols[one].span.start)
    return _in_order(scan, order)


def _in_order(scan: _Scan, order: list[int]) -> SymbolTable:
    places = {old: new for new, old in enumerate(order)}
    uses = (
        use
        if use.symbol is None
        else Use(use.name, use.span, use.scope, places[use.symbol], use.is_write)
        for use in scan.uses
    )
    return SymbolTable(tuple(scan.scopes), tuple(scan.symbols[one] for one in order), tuple(uses))


def _is_head(scan: _Scan, index: int) -> bool:
    return (
        scan.kinds[index] in _HEADS
        and scan.kind(index - 1) is not Kind.DOT
        and scan.kind(index + 1) in _WORDS
    )


def _bind_methods(scan: _Scan) -> None:
    """Methods are known before their place; of two with one name (in `#Если`) the first counts."""
    for index in range(len(scan.kinds)):
        if _is_head(scan, index):
            folded = scan.tokens.spellings[index + 1].lower()
            if folded not in scan.methods:
                scan.methods[folded] = scan.bind(index + 1, "function", 0)


def _read_method(scan: _Scan, head: int) -> int:
    """Record a method and what is in it; the index after it."""
    method = _Method(len(scan.scopes))
    end = _method_end(scan, head)
    begin = head - (scan.kind(head - 1) is Kind.ASYNC)
    span = Span(scan.tokens.starts[begin], scan.tokens.end(end - 1))
    scan.scopes.append(Scope("function", scan.tokens.spellings[head + 1], span, 0))
    index = _read_parameters(scan, method, head + 2, end)
    while index < end:
        index = _read_token(scan, method, index)
    _resolve_jumps(scan, method)
    return end


def _method_end(scan: _Scan, head: int) -> int:
    """Index after the closing keyword, or where another method begins."""
    for index in range(head + 2, len(scan.kinds)):
        if scan.kinds[index] in _TAILS and scan.kind(index - 1) is not Kind.DOT:
            return index + 1
        if _is_head(scan, index):
            return index - (scan.kind(index - 1) is Kind.ASYNC)
    return len(scan.kinds)


def _read_parameters(scan: _Scan, method: _Method, index: int, end: int) -> int:
    if index >= end or scan.kinds[index] is not Kind.OPEN:
        return index
    index += 1
    while index < end and scan.kinds[index] is not Kind.CLOSE:
        kind = scan.kinds[index]
        if kind is Kind.AMPERSAND:
            index = _after_annotation(scan, index)
            continue
        if kind is Kind.SEMICOLON:  # the bracket is not closed
            break
        if kind is Kind.NAME and scan.kind(index - 1) is not Kind.EQUAL:
            folded = scan.tokens.spellings[index].lower()
            method.variables[folded] = scan.bind(index, "parameter", method.scope)
        index += 1
    return index


def _after_annotation(scan: _Scan, index: int) -> int:
    """Index after `&Имя` and the brackets that may follow it."""
    index += 1 + (scan.kind(index + 1) in _WORDS)
    if scan.kind(index) is not Kind.OPEN:
        return index
    depth = 0
    while index < len(scan.kinds) and not (scan.kinds[index] in _HEADS or depth < 0):
        depth += (scan.kinds[index] is Kind.OPEN) - (scan.kinds[index] is Kind.CLOSE)
        index += 1
        if depth == 0:
            break
    return index


def _read_token(scan: _Scan, method: _Method, index: int) -> int:
    kind = scan.kinds[index]
    if kind is Kind.AMPERSAND:
        return _after_annotation(scan, index)
    if kind is Kind.VAR:
        return _read_variables(scan, method, index + 1)
    if kind is Kind.TILDE and scan.kind(index + 1) in _WORDS:
        return _read_label(scan, method, index + 1)
    if kind is Kind.NAME:
        _read_name(scan, method, index)
    return index + 1


def _read_variables(scan: _Scan, method: _Method, index: int) -> int:
    """`Перем А, Б Экспорт;`: the index after the names."""
    while scan.kind(index) is Kind.NAME:
        symbol = scan.bind(index, "variable", method.scope)
        folded = scan.tokens.spellings[index].lower()
        method.variables[folded] = symbol
        if method.scope == 0:
            scan.module_variables[folded] = symbol
        index += 1 + (scan.kind(index + 1) is Kind.EXPORT)
        if scan.kind(index) is not Kind.COMMA:
            break
        index += 1
    return index


def _read_label(scan: _Scan, method: _Method, index: int) -> int:
    if scan.kind(index + 1) is Kind.COLON:
        symbol = scan.bind(index, "label", method.scope)
        method.labels.setdefault(scan.tokens.spellings[index].lower(), symbol)
    else:
        method.jumps.append(len(scan.uses))
        scan.use(index, method.scope, None)
    return index + 1


def _resolve_jumps(scan: _Scan, method: _Method) -> None:
    for place in method.jumps:
        use = scan.uses[place]
        symbol = method.labels.get(use.name.lower())
        scan.uses[place] = Use(use.name, use.span, use.scope, symbol, False)


def _read_name(scan: _Scan, method: _Method, index: int) -> None:
    before, after = _before(scan, index), scan.kind(index + 1)
    folded = scan.tokens.spellings[index].lower()
    if before in _NO_USE_AFTER:
        return
    if before in (Kind.FOR, Kind.EACH):
        _write(scan, method, index)
    elif after is Kind.EQUAL and before not in _EXPRESSION_GOES_ON:
        _write(scan, method, index)
    elif after is Kind.OPEN:
        scan.use(index, method.scope, scan.methods.get(folded))
    else:
        # `ДобавитьОбработчик Источник.Событие, ИмяПроцедуры` names a method without a bracket.
        symbol = scan.variable(method, folded)
        scan.use(index, method.scope, scan.methods.get(folded) if symbol is None else symbol)


def _before(scan: _Scan, index: int) -> Kind:
    """The kind of the token before, whatever preprocessor line stands between."""
    index -= 1
    while scan.kind(index) is Kind.DIRECTIVE:
        index -= 1
    return scan.kind(index)


def _write(scan: _Scan, method: _Method, index: int) -> None:
    folded = scan.tokens.spellings[index].lower()
    symbol = scan.variable(method, folded)
    if symbol is None:
        symbol = method.variables[folded] = scan.bind(index, "variable", method.scope)
    scan.use(index, method.scope, symbol, is_write=True)
