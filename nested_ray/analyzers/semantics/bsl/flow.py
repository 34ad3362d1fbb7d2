"""Which statements of a BSL method can run, and whether a function can end without a value."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from nested_ray.analyzers.findings import Finding, Location
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.bsl.methods import Method
from nested_ray.analyzers.semantics.bsl.module import BslModule
from nested_ray.analyzers.semantics.bsl.patterns import any_of
from nested_ray.analyzers.semantics.bsl.report import Reporter
from nested_ray.languages.bsl.directives import Line
from nested_ray.languages.bsl.keywords import Kind

_JUMPS = (Kind.RETURN, Kind.RAISE, Kind.BREAK, Kind.CONTINUE, Kind.GOTO)
_CONTROL = re.compile(
    any_of(
        *(Kind.IF, Kind.ELSIF, Kind.ELSE, Kind.END_IF, Kind.FOR, Kind.WHILE, Kind.END_DO),
        *(Kind.TRY, Kind.EXCEPT, Kind.END_TRY, Kind.TILDE, *_JUMPS),
    )
)
_CLOSERS = (
    *(Kind.END_IF, Kind.ELSIF, Kind.ELSE, Kind.END_DO, Kind.EXCEPT, Kind.END_TRY),
    *(Kind.END_PROCEDURE, Kind.END_FUNCTION),
)
_STATEMENT_END = re.compile(any_of(Kind.SEMICOLON, *_CLOSERS))
_OPENS = {Kind.IF: "if", Kind.FOR: "loop", Kind.WHILE: "loop", Kind.TRY: "try"}
_NEXT_BRANCH = (Kind.ELSIF, Kind.ELSE, Kind.EXCEPT)
_ENDS = (Kind.END_IF, Kind.END_DO, Kind.END_TRY)


@dataclass
class _Block:
    """An open statement: how control came into it, and out of the branches so far."""

    kind: str
    entry: bool
    exits: list[bool] = field(default_factory=list)
    has_else: bool = False
    is_endless: bool = False
    is_left: bool = False
    """A `Прервать` of its own leaves the loop."""


@dataclass(frozen=True)
class Flow:
    """What a walk over one method found."""

    dead: tuple[tuple[int, int], ...]
    """The last token that runs, and the first that cannot."""
    falls_off: bool
    """Whether control can reach the end of the method."""
    first_return: int | None


def read_flow(module: BslModule, start: int, end: int) -> Flow | None:
    """Follow control through a body; None when preprocessor conditions cut through statements."""
    walk = _Walk(module, start, end)
    if not walk.run():
        return None
    returns = module.kinds.find(Kind.RETURN, start, end)
    return Flow(tuple(walk.dead), walk.is_alive, returns if returns >= 0 else None)


class _Walk:
    def __init__(self, module: BslModule, start: int, end: int) -> None:
        self._module, self._start, self._end = module, start, end
        self._blocks: list[_Block] = []
        self.is_alive = True
        self.dead: list[tuple[int, int]] = []
        self._conditions = module.conditions_between(start, end)

    def run(self) -> bool:
        kinds = self._module.kinds
        waiting = iter(self._conditions)
        condition = next(waiting, None)
        for match in _CONTROL.finditer(kinds, self._start, self._end):
            while condition is not None and condition[0] <= match.start():
                if not self._cross(condition[1]):
                    return False
                condition = next(waiting, None)
            self._step(match.start(), kinds[match.start()])
        while condition is not None:
            if not self._cross(condition[1]):
                return False
            condition = next(waiting, None)
        return not self._blocks

    def _cross(self, line: Line) -> bool:
        """A preprocessor condition is one more way; False when it cuts through a statement."""
        if line is Line.IF:
            self._blocks.append(_Block("#", self.is_alive))
            return True
        if not self._blocks or self._blocks[-1].kind != "#":
            return False
        self._branch(is_else=line is Line.ELSE)
        if line is Line.END_IF:
            block = self._blocks.pop()
            self.is_alive = any(block.exits) or (not block.has_else and block.entry)
        return True

    def _branch(self, *, is_else: bool) -> None:
        block = self._blocks[-1]
        block.exits.append(self.is_alive)
        block.has_else |= is_else
        self.is_alive = block.entry

    def _step(self, index: int, kind: int) -> None:
        if kind in _OPENS:
            is_endless = kind == Kind.WHILE and self._module.kinds[index + 1] == Kind.TRUE
            is_endless &= self._module.kinds[index + 2 : index + 3] == bytes((Kind.DO,))
            self._blocks.append(_Block(_OPENS[Kind(kind)], self.is_alive, is_endless=is_endless))
        elif kind in _NEXT_BRANCH:
            self._branch(is_else=kind != Kind.ELSIF)
        elif kind in _ENDS:
            self._close(self._blocks.pop())
            if not self.is_alive:
                self._report_after(index)
        elif kind == Kind.TILDE:
            if self._module.kinds[index + 2] == Kind.COLON:
                self.is_alive = True  # a jump may lead here
        elif self.is_alive:
            if kind == Kind.BREAK:
                self._leave_loop()
            self.is_alive = False
            self._report_after(index)

    def _close(self, block: _Block) -> None:
        if block.kind == "loop":
            self.is_alive = block.is_left if block.is_endless else block.entry
            return
        ways = [*block.exits, self.is_alive]
        self.is_alive = any(ways) or (block.kind == "if" and not block.has_else and block.entry)

    def _leave_loop(self) -> None:
        for block in reversed(self._blocks):
            if block.kind == "loop":
                block.is_left = True
                return

    def _report_after(self, index: int) -> None:
        """Note the statement behind one that control does not get past, if there is any."""
        kinds = self._module.kinds
        match = _STATEMENT_END.search(kinds, index + 1, self._end)
        if match is None:
            return
        following = match.start()
        while kinds[following] == Kind.SEMICOLON and following < self._end:
            following += 1
        if kinds[following] in _CLOSERS or kinds[following] == Kind.TILDE:
            return
        if self._module.conditions_between(index, following):
            return
        self.dead.append((index, following))
        self.is_alive = True  # one report is enough for what follows


def flow_findings(
    report: Reporter, module: BslModule, method: Method, used: Collection[str]
) -> Iterator[Finding]:
    """Unreachable statements, and a function that can end without a value.

    `used` are functions whose value is used in the module; others may be called for what they do.
    """
    flow = read_flow(module, method.body, method.end)
    if flow is None:
        return
    for last, first in flow.dead:
        yield report.finding(
            rules.UNREACHABLE_CODE,
            module.span(first, _end_of_statement(module, first, method.end)),
            "This code can never run",
            witness=f"control never gets past line {module.row(last)}",
            related=(Location(report.path, module.span(last), "control ends here"),),
            symbol=method.name,
        )
    if method.is_function and flow.falls_off and not flow.dead:
        if flow.first_return is not None or module.words[method.token] in used:
            yield from _missing_return(report, module, method, flow)


def _end_of_statement(module: BslModule, first: int, end: int) -> int:
    match = _STATEMENT_END.search(module.kinds, first, end)
    if match is None or module.kinds[match.start()] != Kind.SEMICOLON:
        return first
    return match.start()


def _missing_return(
    report: Reporter, module: BslModule, method: Method, flow: Flow
) -> Iterator[Finding]:
    is_empty = method.body == method.end
    if is_empty or method.is_extension:
        return
    if flow.first_return is None:
        message = f"Function `{method.name}` never returns a value, but its value is used"
        witness, related = "it has no return statement", ()
    else:
        message = f"Function `{method.name}` returns a value on some paths and none on another"
        witness = "the end of the function can be reached"
        place = Location(report.path, module.span(flow.first_return), "a value is returned here")
        related = (place,)
    yield report.finding(
        rules.MISSING_RETURN,
        module.span(method.token),
        message,
        confidence=0.8,
        witness=witness,
        related=related,
        symbol=method.name,
    )
