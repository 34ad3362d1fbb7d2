"""Grammar rules → a table for a pushdown automaton that reads one token at a time.

A rule is a regular expression over token kinds and calls of other rules. Each becomes a
deterministic automaton; calls are resolved by the next token (LL(1)), so that one table look-up per
token is all that parsing costs, the stack is a plain list (no recursion), and an error is always
found at the first token that no valid text could have at that place.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

Symbol = int | str
"""A token kind, or the name of a rule that is called."""


@dataclass
class Fragment:
    """A piece of a nondeterministic automaton: edges[node] = [(symbol or None, node)]."""

    edges: list[list[tuple[Symbol | None, int]]] = field(default_factory=list)

    def node(self) -> int:
        self.edges.append([])
        return len(self.edges) - 1


class Expr:
    """A regular expression; `add` draws it into a fragment between two nodes."""

    def add(self, fragment: Fragment, start: int, end: int) -> None:
        raise NotImplementedError


Part = Expr | Symbol


@dataclass(frozen=True)
class Seq(Expr):
    parts: tuple[Part, ...]

    def add(self, fragment: Fragment, start: int, end: int) -> None:
        for part in self.parts:
            following = fragment.node()
            _add(part, fragment, start, following)
            start = following
        fragment.edges[start].append((None, end))


@dataclass(frozen=True)
class Choice(Expr):
    parts: tuple[Part, ...]

    def add(self, fragment: Fragment, start: int, end: int) -> None:
        for part in self.parts:
            _add(part, fragment, start, end)


@dataclass(frozen=True)
class Repeat(Expr):
    part: Part

    def add(self, fragment: Fragment, start: int, end: int) -> None:
        loop = fragment.node()
        fragment.edges[start].append((None, loop))
        _add(self.part, fragment, loop, loop)
        fragment.edges[loop].append((None, end))


def seq(*parts: Part) -> Expr:
    """All parts, one after the other."""
    return Seq(parts)


def one_of(*parts: Part) -> Expr:
    """Exactly one of the parts."""
    return Choice(parts)


def maybe(*parts: Part) -> Expr:
    """The sequence of parts, or nothing."""
    return Choice((Seq(parts), Seq(())))


def many(*parts: Part) -> Expr:
    """The sequence of parts any number of times, also none."""
    return Repeat(Seq(parts))


def _add(part: Part, fragment: Fragment, start: int, end: int) -> None:
    if isinstance(part, Expr):
        # Own nodes on both sides: a loop must not leak into its neighbours.
        inner_start, inner_end = fragment.node(), fragment.node()
        fragment.edges[start].append((None, inner_start))
        part.add(fragment, inner_start, inner_end)
        fragment.edges[inner_end].append((None, end))
    else:
        fragment.edges[start].append((part, end))


ERROR, RETURN, FIRST_PUSH = -1, -2, -3


@dataclass(frozen=True)
class Table:
    """What to do in a state at a token kind: `rows[state][kind]`.

    A value >= 0 is the next state; RETURN ends the rule and asks its caller's state; a value <=
    FIRST_PUSH indexes `pushes`: return states to push, then the next state.
    """

    rows: list[list[int]]
    pushes: list[tuple[tuple[int, ...], int]]
    start: int


def build_table(rules: dict[str, Part], start: str, num_kinds: int) -> Table:
    """Compile the rules; ValueError names a rule that one token of look-ahead cannot decide."""
    machines = {name: _determinise(part) for name, part in rules.items()}
    firsts = _first_kinds(machines)
    offsets, total = {}, 0
    for name, (edges, _) in machines.items():
        offsets[name], total = total, total + len(edges)
    pushes: dict[tuple[tuple[int, ...], int], int] = {}
    rows: list[list[int]] = []
    for name, (edges, finals) in machines.items():
        for state, successors in enumerate(edges):
            row = [RETURN if state in finals else ERROR] * num_kinds
            for symbol, following in successors.items():
                for kind in firsts[symbol] if isinstance(symbol, str) else (symbol,):
                    if row[kind] not in (RETURN, ERROR):
                        raise ValueError(f"rule {name} is ambiguous at token kind {kind}")
                    calls, target = _enter(machines, firsts, offsets, symbol, kind)
                    back = offsets[name] + following
                    if not isinstance(symbol, str):
                        row[kind] = back
                        continue
                    key = ((back, *calls), target)
                    row[kind] = FIRST_PUSH - pushes.setdefault(key, len(pushes))
            rows.append(row)
    return Table(rows, list(pushes), offsets[start])


Machine = tuple[list[dict[Symbol, int]], set[int]]


def _determinise(part: Part) -> Machine:
    """Subset construction: edges by symbol, and the accepting states; state 0 is the start."""
    fragment = Fragment()
    start, end = fragment.node(), fragment.node()
    _add(part, fragment, start, end)
    first = _closure(fragment, (start,))
    numbers, queue = {first: 0}, [first]
    edges: list[dict[Symbol, int]] = []
    for nodes in queue:
        targets: dict[Symbol, set[int]] = {}
        for node in nodes:
            for symbol, target in fragment.edges[node]:
                if symbol is not None:
                    targets.setdefault(symbol, set()).add(target)
        row: dict[Symbol, int] = {}
        for symbol, reached in targets.items():
            closed = _closure(fragment, reached)
            if closed not in numbers:
                numbers[closed] = len(numbers)
                queue.append(closed)
            row[symbol] = numbers[closed]
        edges.append(row)
    return edges, {number for nodes, number in numbers.items() if end in nodes}


def _closure(fragment: Fragment, nodes: Iterable[int]) -> frozenset[int]:
    reached, queue = set(nodes), list(nodes)
    while queue:
        for symbol, target in fragment.edges[queue.pop()]:
            if symbol is None and target not in reached:
                reached.add(target)
                queue.append(target)
    return frozenset(reached)


def _first_kinds(machines: dict[str, Machine]) -> dict[str, frozenset[int]]:
    """The kinds each rule can begin with; no rule may be empty."""
    for name, (_, finals) in machines.items():
        if 0 in finals and name != "module":
            raise ValueError(f"rule {name} can be empty")
    firsts: dict[str, frozenset[int]] = dict.fromkeys(machines, frozenset())
    for _ in machines:  # a rule's first kinds pass through at most every other rule
        for name, (edges, _) in machines.items():
            kinds: set[int] = set()
            for symbol in edges[0]:
                kinds |= firsts[symbol] if isinstance(symbol, str) else {symbol}
            firsts[name] = frozenset(kinds)
    return firsts


def _enter(machines, firsts, offsets, symbol: Symbol, kind: int) -> tuple[tuple[int, ...], int]:
    """Follow calls at the start of rules down to the token: return states, and the state after it."""
    calls: list[int] = []
    while isinstance(symbol, str):
        name, start_edges = symbol, machines[symbol][0][0]
        if kind in start_edges:
            return tuple(calls), offsets[name] + start_edges[kind]
        symbol = next(s for s in start_edges if isinstance(s, str) and kind in firsts[s])
        calls.append(offsets[name] + start_edges[symbol])
    return tuple(calls), -1
