"""Which scope a Python name belongs to: the rules of the language reference, section 4.2."""

from __future__ import annotations

from dataclasses import dataclass, field

from nested_ray.languages.base import (
    Scope,
    ScopeKind,
    Span,
    Symbol,
    SymbolKind,
    SymbolTable,
    Use,
)
from nested_ray.languages.python.names import fold, mangle


@dataclass
class _Open:
    """A scope while it is read."""

    scope: Scope
    private: str
    """Name of the class whose private names are hidden here; empty outside of classes."""
    bound: dict[str, int] = field(default_factory=dict[str, int])
    """Index of the symbol by the name the compiler would store."""
    globals: set[str] = field(default_factory=set[str])
    nonlocals: set[str] = field(default_factory=set[str])


@dataclass(frozen=True)
class _Seen:
    name: str
    span: Span
    scope: int
    kind: SymbolKind | None
    """What the name becomes here; None where it is only read."""


class Bindings:
    """Gathers what each scope binds and uses; what a name means is known when all is gathered."""

    def __init__(self, whole: Span) -> None:
        self._open = [_Open(Scope("module", "", whole, None), "")]
        self._seen: list[_Seen] = []

    def open(self, kind: ScopeKind, name: str, span: Span, parent: int, private: str = "") -> int:
        """A new scope; gives its index."""
        scope = Scope(kind, name, span, parent)
        self._open.append(_Open(scope, private or self._open[parent].private))
        return len(self._open) - 1

    def parent(self, scope: int) -> int:
        return self._open[scope].scope.parent or 0

    def use(self, name: str, span: Span, scope: int, kind: SymbolKind | None) -> None:
        """A name stands in the text; with a kind it is bound there."""
        self._seen.append(_Seen(name, span, scope, kind))

    def declare(self, name: str, scope: int, *, is_global: bool) -> None:
        """`global name` or `nonlocal name`."""
        opened = self._open[scope]
        (opened.globals if is_global else opened.nonlocals).add(self._key(name, scope))

    def leave_comprehension(self, name: str, scope: int) -> None:
        """`name := ...` binds outside of the comprehensions around it."""
        while self._open[scope].scope.kind == "comprehension":
            self._open[scope].nonlocals.add(self._key(name, scope))
            scope = self.parent(scope)

    def table(self) -> SymbolTable:
        self._seen.sort(key=lambda seen: seen.span.start)
        symbols = self._bind()
        uses = tuple(
            Use(seen.name, seen.span, seen.scope, self._meaning(seen), seen.kind is not None)
            for seen in self._seen
        )
        scopes = tuple(opened.scope for opened in self._open)
        return SymbolTable(scopes, symbols, uses)

    def _bind(self) -> tuple[Symbol, ...]:
        symbols: list[Symbol] = []
        for is_nonlocal in (False, True):  # a nonlocal name needs the binding it stands for
            for seen in self._seen:
                key = self._key(seen.name, seen.scope)
                if seen.kind is None or (key in self._open[seen.scope].nonlocals) != is_nonlocal:
                    continue
                scope = self._owner(key, seen.scope)
                if key not in self._open[scope].bound:
                    self._open[scope].bound[key] = len(symbols)
                    symbols.append(Symbol(seen.name, seen.kind, scope, seen.span))
        return self._in_order(symbols)

    def _in_order(self, symbols: list[Symbol]) -> tuple[Symbol, ...]:
        order = sorted(range(len(symbols)), key=lambda index: symbols[index].span.start)
        place = {old: new for new, old in enumerate(order)}
        for opened in self._open:
            opened.bound = {key: place[index] for key, index in opened.bound.items()}
        return tuple(symbols[index] for index in order)

    def _owner(self, key: str, scope: int) -> int:
        """The scope that a binding of the name belongs to."""
        if key in self._open[scope].globals:
            return 0
        if key not in self._open[scope].nonlocals:
            return scope
        if self._open[scope].scope.kind != "comprehension":
            found = self._enclosing(key, scope)
            return scope if found is None else found
        while self._open[scope].scope.kind == "comprehension":
            scope = self.parent(scope)
        return self._owner(key, scope)

    def _enclosing(self, key: str, scope: int) -> int | None:
        """The nearest function around a scope that binds the name, else the module, else none."""
        around = self._open[scope].scope.parent
        while around is not None:
            opened = self._open[around]
            if opened.scope.kind != "class":
                if key in opened.globals:
                    return 0
                if key in opened.bound:
                    return around
            around = opened.scope.parent
        return None

    def _meaning(self, seen: _Seen) -> int | None:
        key = self._key(seen.name, seen.scope)
        opened = self._open[seen.scope]
        if key in opened.globals:
            return self._open[0].bound.get(key)
        if key in opened.bound:
            return opened.bound[key]
        scope = self._enclosing(key, seen.scope)
        return None if scope is None else self._open[scope].bound.get(key)

    def _key(self, name: str, scope: int) -> str:
        return mangle(fold(name), self._open[scope].private)
