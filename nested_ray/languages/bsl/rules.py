"""What the compiler refuses beyond the grammar: a name bound twice, a jump to a label that is not there.

Two definitions clash when they stand in the same branch of `#Если`, or one in a branch inside the
other's, and have the same directives: a form may have one variable on the client and one on the server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from nested_ray.languages.bsl.directives import Line, parse_directive
from nested_ray.languages.bsl.keywords import WORDS, Kind
from nested_ray.languages.bsl.lexer import Tokens, find_kinds
from nested_ray.languages.bsl.machine import Failure
from nested_ray.languages.bsl.outline import first_token

_HEADS = (Kind.PROCEDURE, Kind.FUNCTION)
_TAILS = (Kind.END_PROCEDURE, Kind.END_FUNCTION)
_WORDS = frozenset(WORDS)
_find_of_interest = find_kinds(*_HEADS, *_TAILS, Kind.VAR, Kind.TILDE, Kind.DIRECTIVE)
_NAME = frozenset((Kind.NAME,))
_NO_KEYWORD_AFTER = (Kind.DOT, Kind.AMPERSAND)
_NO_PARAMETER_AFTER = (Kind.EQUAL, Kind.AMPERSAND)
_BRACKETS = {Kind.OPEN: 1, Kind.CLOSE: -1}
# To look a member up costs Python 3.11 as much as all else that is done for a token.
_PLAIN_NAME, _DIRECTIVE, _END = Kind.NAME, Kind.DIRECTIVE, Kind.END
_VAR, _TILDE, _OPEN = Kind.VAR, Kind.TILDE, Kind.OPEN
_IF, _ELSIF, _ELSE, _END_IF = Line.IF, Line.ELSIF, Line.ELSE, Line.END_IF
_MAX_BRANCH = 64
"""Names deeper in `#Если` are not compared."""

Branch = tuple[int, ...]
"""The open `#Если` and which branch of each; of two that can both be active, one begins with the other."""


Definition = tuple[str, Branch, tuple[str, ...]]
"""A name in lower case, the branch it is bound in, the directives and annotations of its declaration."""

_Key = tuple[str, tuple[str, ...]]
"""Name and mark of a definition."""


@dataclass(slots=True)
class _Branches:
    """The branches that bind one name."""

    inside: set[Branch] = field(default_factory=set)
    around: set[Branch] = field(default_factory=set)
    """Every branch that one of `inside` is in."""

    def add(self, branch: Branch) -> bool:
        """Whether the branch and one that is there can both be active."""
        outer = [branch[:end] for end in range(0, len(branch) + 1, 2)]
        clashes = branch in self.around or not self.inside.isdisjoint(outer)
        self.inside.add(branch)
        self.around.update(outer)
        return clashes


@dataclass(slots=True)
class _Bound:
    """What is bound so far in one scope."""

    definitions: list[Definition] = field(default_factory=list)
    _first: dict[_Key, Branch] = field(default_factory=dict)
    """The branch of a name that is bound once, as nearly all are."""
    _several: dict[_Key, _Branches] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return (name, ()) in self._first

    def add(self, definition: Definition) -> bool:
        """Bind a name; whether it clashes with one that is bound already."""
        name, branch, mark = definition
        self.definitions.append(definition)
        key = name, mark
        first = self._first.get(key)
        if first is None:
            self._first[key] = branch
            return False
        if key not in self._several:
            self._several[key] = _Branches()
            self._several[key].add(first)
        return self._several[key].add(branch)


@dataclass(slots=True)
class Names:
    """The methods and variables of a module, as far as it is read."""

    methods: _Bound = field(default_factory=_Bound)
    variables: _Bound = field(default_factory=_Bound)

    def absorb(self, later: Names) -> bool:
        """Add the names of text that follows; whether one of them clashes."""
        clashes = False
        for mine, theirs in ((self.methods, later.methods), (self.variables, later.variables)):
            for definition in theirs.definitions:
                clashes |= mine.add(definition)
        return clashes


@dataclass(slots=True)
class _Labels:
    """Labels of the method being read, and the jumps to them."""

    names: _Bound = field(default_factory=_Bound)
    jumps: list[int] = field(default_factory=list)

    def missing(self, tokens: Tokens) -> int | None:
        """The first jump without a label."""
        return next((j for j in self.jumps if tokens.spellings[j].lower() not in self.names), None)


@dataclass(slots=True)
class _Scan:
    tokens: Tokens
    kinds: list[Kind]
    names: Names
    path: list[int]
    """The branch, as a stack: deep nesting must not cost a copy a line."""
    num_conditions: int
    variables: _Bound | None = None
    """Parameters and declared variables of the method being read; None outside of methods."""
    labels: _Labels = field(default_factory=_Labels)

    def kind(self, index: int) -> Kind:
        return self.kinds[index] if 0 <= index < len(self.kinds) else _END

    def bind(self, bound: _Bound, index: int, mark: tuple[str, ...] = ()) -> bool:
        if len(self.path) > _MAX_BRANCH:
            return False
        return bound.add((self.tokens.spellings[index].lower(), tuple(self.path), mark))


class RuleReading(NamedTuple):
    """The first clash or lost jump, the jump that is lost if the text ends, and the branch at its end."""

    broken: Failure | None
    lost: Failure | None
    branch: Branch
    num_conditions: int


def scan_rules(
    tokens: Tokens, kinds: list[Kind], names: Names, branch: Branch, num_conditions: int
) -> RuleReading:
    """Hold tokens that the grammar accepts to the rules; `names` are those bound before, and grow."""
    scan = _Scan(tokens, kinds, names, list(branch), num_conditions)
    for index in _find_of_interest(kinds):
        if kinds[index] is _DIRECTIVE:
            _read_directive(scan, index)
        if index and kinds[index - 1] in _NO_KEYWORD_AFTER:
            continue
        failure = _read_token(scan, index)
        if failure is not None:
            return RuleReading(failure, None, tuple(scan.path), scan.num_conditions)
    jump = scan.labels.missing(tokens)
    lost = None if jump is None else _lost_jump(len(kinds), jump)
    return RuleReading(None, lost, tuple(scan.path), scan.num_conditions)


def _read_directive(scan: _Scan, index: int) -> None:
    line = parse_directive(scan.tokens.spellings[index]).line
    if line is _IF:
        scan.num_conditions += 1
        scan.path += (scan.num_conditions, 0)
    elif line in (_ELSIF, _ELSE):
        scan.path[-1] += 1
    elif line is _END_IF:
        del scan.path[-2:]


def _read_token(scan: _Scan, index: int) -> Failure | None:
    kind = scan.kinds[index]
    if kind in _HEADS:
        return _read_heading(scan, index)
    if kind in _TAILS:
        lost = scan.labels.missing(scan.tokens)
        scan.labels, scan.variables = _Labels(), None
        return None if lost is None else _lost_jump(index, lost)
    if kind is _VAR:
        return _read_variables(scan, index)
    if kind is not _TILDE:
        return None
    if scan.kind(index + 2) is not Kind.COLON:
        if scan.kind(index + 1) in _WORDS:
            scan.labels.jumps.append(index + 1)
        return None
    name = scan.tokens.spellings[index + 1].lower()
    clashes = scan.labels.names.add((name, (), ()))
    return _clash(index + 1, "a label of this name is set above") if clashes else None


def _read_heading(scan: _Scan, head: int) -> Failure | None:
    if scan.kind(head + 1) is not _PLAIN_NAME:
        return None
    if scan.bind(scan.names.methods, head + 1, _directives(scan.tokens, head)):
        return _clash(head + 1, "a method of this name is defined above")
    scan.variables = _Bound()
    kinds, depth = scan.kinds, 1
    if scan.kind(head + 2) is not _OPEN:
        return None
    for index in range(head + 3, len(kinds)):
        kind = kinds[index]
        if kind is _PLAIN_NAME:
            # Deeper are parameters of annotations, behind `=` default values.
            is_parameter = depth == 1 and kinds[index - 1] not in _NO_PARAMETER_AFTER
            if is_parameter and scan.bind(scan.variables, index):
                return _clash(index, "a parameter of this name stands before")
        elif kind in _BRACKETS:
            depth += _BRACKETS[kind]
            if not depth:
                break
    return None


def _read_variables(scan: _Scan, head: int) -> Failure | None:
    bound, mark = scan.variables, ()
    if bound is None:
        bound, mark = scan.names.variables, _directives(scan.tokens, head)
    index = head + 1
    while scan.kind(index) is Kind.NAME:
        if scan.bind(bound, index, mark):
            return _clash(index, "a variable of this name is declared above")
        index += 1 + (scan.kind(index + 1) is Kind.EXPORT)
        if scan.kind(index) is not Kind.COMMA:
            break
        index += 1
    return None


def _directives(tokens: Tokens, head: int) -> tuple[str, ...]:
    """Directives and annotations of a declaration, lower-case."""
    return tuple(word.lower() for word in tokens.spellings[first_token(tokens, head) : head])


def _clash(index: int, message: str) -> Failure:
    return Failure(index, _NAME, message)


def _lost_jump(index: int, jump: int) -> Failure:
    """Comes to light where the method ends; the place to show is the jump."""
    return Failure(index, _NAME, "no label of this name is in the method", place=jump)
