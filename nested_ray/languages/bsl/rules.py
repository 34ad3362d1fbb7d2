"""What the compiler refuses beyond the grammar: a name bound twice, a jump to a label that is not there.

Two definitions clash when they stand in the same branch of `#Если`, or one in a branch inside the
other's, and have the same directives: a form may have one variable on the client and one on the server.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from nested_ray.languages.bsl.directives import Directive, Line
from nested_ray.languages.bsl.keywords import WORDS, Kind
from nested_ray.languages.bsl.lexer import Tokens
from nested_ray.languages.bsl.machine import Failure
from nested_ray.languages.bsl.outline import first_token

_HEADS = (Kind.PROCEDURE, Kind.FUNCTION)
_TAILS = (Kind.END_PROCEDURE, Kind.END_FUNCTION)
_WORDS = frozenset(WORDS)
_OF_INTEREST = frozenset((*_HEADS, *_TAILS, Kind.VAR, Kind.TILDE, Kind.DIRECTIVE))
_NAME = frozenset((Kind.NAME,))
_MAX_DEFINITIONS = 16
"""Of one name that do not clash; more are not compared."""

Branch = tuple[int, ...]
"""The open `#Если` and which branch of each; of two that can both be active, one begins with the other."""


@dataclass
class _Names:
    """What is bound so far in one scope: the tokens of each name."""

    definitions: dict[str, list[tuple[int, Branch]]] = field(default_factory=dict)

    def clash(self, tokens: Tokens, index: int, branch: Branch, head: int | None) -> bool:
        """Bind the name at `index`; whether it was bound already. `head` begins its declaration."""
        earlier = self.definitions.setdefault(tokens.spellings[index].lower(), [])
        clashes = any(
            branch[: len(other)] == other[: len(branch)]
            and (head is None or _directives(tokens, head) == _directives(tokens, begin))
            for begin, other in earlier
        )
        if len(earlier) < _MAX_DEFINITIONS:
            earlier.append((index if head is None else head, branch))
        return clashes


@dataclass
class _Labels:
    """Labels of the method being read, and the jumps to them."""

    names: _Names = field(default_factory=_Names)
    jumps: list[int] = field(default_factory=list)

    def missing(self, tokens: Tokens) -> int | None:
        """The first jump without a label."""
        known = self.names.definitions
        return next((j for j in self.jumps if tokens.spellings[j].lower() not in known), None)


@dataclass
class _Scan:
    tokens: Tokens
    kinds: list[Kind]
    methods: _Names = field(default_factory=_Names)
    module_variables: _Names = field(default_factory=_Names)
    variables: _Names | None = None
    """Parameters and declared variables of the method being read; None outside of methods."""
    labels: _Labels = field(default_factory=_Labels)
    branch: Branch = ()
    num_conditions: int = 0

    def kind(self, index: int) -> Kind:
        return self.kinds[index] if 0 <= index < len(self.kinds) else Kind.END


def broken_rule(
    tokens: Tokens, kinds: list[Kind], directives: dict[int, Directive]
) -> tuple[Failure | None, Failure | None]:
    """The first clash or lost jump in tokens that the grammar accepts, and what is lost at the end."""
    scan = _Scan(tokens, kinds)
    for index in [index for index, kind in enumerate(kinds) if kind in _OF_INTEREST]:
        if scan.kind(index - 1) in (Kind.DOT, Kind.AMPERSAND):
            continue
        if index in directives:
            _read_directive(scan, directives[index])
            continue
        failure = _read_token(scan, index)
        if failure is not None:
            return failure, None
    lost = scan.labels.missing(tokens)
    return None, None if lost is None else _lost_jump(len(kinds), lost)


def _read_directive(scan: _Scan, directive: Directive) -> None:
    if directive.line is Line.IF:
        scan.num_conditions += 1
        scan.branch = (*scan.branch, scan.num_conditions, 0)
    elif directive.line in (Line.ELSIF, Line.ELSE):
        scan.branch = (*scan.branch[:-1], scan.branch[-1] + 1)
    elif directive.line is Line.END_IF:
        scan.branch = scan.branch[:-2]


def _read_token(scan: _Scan, index: int) -> Failure | None:
    kind = scan.kinds[index]
    if kind in _HEADS:
        return _read_heading(scan, index)
    if kind in _TAILS:
        lost = scan.labels.missing(scan.tokens)
        scan.labels, scan.variables = _Labels(), None
        return None if lost is None else _lost_jump(index, lost)
    if kind is Kind.VAR:
        return _read_variables(scan, index)
    if scan.kind(index + 2) is not Kind.COLON:
        if scan.kind(index + 1) in _WORDS:
            scan.labels.jumps.append(index + 1)
        return None
    clashes = scan.labels.names.clash(scan.tokens, index + 1, (), None)
    return _clash(index + 1, "a label of this name is set above") if clashes else None


def _read_heading(scan: _Scan, head: int) -> Failure | None:
    if scan.kind(head + 1) is not Kind.NAME:
        return None
    if scan.methods.clash(scan.tokens, head + 1, scan.branch, head):
        return _clash(head + 1, "a method of this name is defined above")
    scan.variables = _Names()
    depth = 0
    for index in range(head + 2, len(scan.kinds)):
        kind = scan.kinds[index]
        depth += (kind is Kind.OPEN) - (kind is Kind.CLOSE)
        if depth <= 0:
            break
        # Deeper are parameters of annotations, behind `=` default values.
        is_name = kind is Kind.NAME and depth == 1
        if is_name and scan.kind(index - 1) not in (Kind.EQUAL, Kind.AMPERSAND):
            if scan.variables.clash(scan.tokens, index, scan.branch, None):
                return _clash(index, "a parameter of this name stands before")
    return None


def _read_variables(scan: _Scan, head: int) -> Failure | None:
    is_local = scan.variables is not None
    names = scan.variables if scan.variables is not None else scan.module_variables
    index = head + 1
    while scan.kind(index) is Kind.NAME:
        if names.clash(scan.tokens, index, scan.branch, None if is_local else head):
            return _clash(index, "a variable of this name is declared above")
        index += 1 + (scan.kind(index + 1) is Kind.EXPORT)
        if scan.kind(index) is not Kind.COMMA:
            break
        index += 1
    return None


def _directives(tokens: Tokens, head: int) -> list[str]:
    """Directives and annotations of a declaration, lower-case."""
    return [word.lower() for word in tokens.spellings[first_token(tokens, head) : head]]


def _clash(index: int, message: str) -> Failure:
    return Failure(index, _NAME, message)


def _lost_jump(index: int, jump: int) -> Failure:
    """Comes to light where the method ends; the place to show is the jump."""
    return Failure(index, _NAME, "no label of this name is in the method", place=jump)
