"""Which statements of a Python file can run, and which functions may end without a value."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from nested_ray.analyzers.findings import Finding, Location, Severity
from nested_ray.analyzers.semantics import rules
from nested_ray.analyzers.semantics.python.module import PythonModule
from nested_ray.analyzers.semantics.python.signatures import decorators_of
from nested_ray.analyzers.semantics.python.tree import Function, children_of
from nested_ray.languages.base import Span

_BLOCK_FIELDS = frozenset(("body", "orelse", "finalbody", "handlers", "cases"))
_NEVER_RETURN = {"exit", "_exit", "abort", "fail", "error", "skipTest", "skip", "xfail", "fatal"}
_MAY_BE_NONE = ("None", "Optional", "Any", "object", "NoReturn", "Never", "Iterator", "Generator")


class Blocks:
    """Every statement of a file in an order in which the outer ones stand first; no recursion."""

    def __init__(self, tree: ast.Module) -> None:
        self.statements: list[ast.stmt] = []
        self.blocks: list[list[ast.stmt]] = []
        self.left_loops: set[int] = set()
        """Loops that a `break` of their own leaves."""
        waiting: list[tuple[ast.AST, int]] = [(tree, 0)]
        while waiting:
            node, loop = waiting.pop()
            if isinstance(node, ast.stmt):
                self.statements.append(node)
            if isinstance(node, ast.Break):
                self.left_loops.add(loop)
            waiting += self._parts(node, loop)

    def _parts(self, node: ast.AST, loop: int) -> list[tuple[ast.AST, int]]:
        found: list[tuple[ast.AST, int]] = []
        for name in _BLOCK_FIELDS.intersection(node._fields):
            children = getattr(node, name)
            if not isinstance(children, list):
                continue
            if children and isinstance(children[0], ast.stmt):
                self.blocks.append(children)
            inner = loop
            if isinstance(node, (ast.For, ast.AsyncFor, ast.While)) and name == "body":
                inner = id(node)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                inner = 0
            found += [(child, inner) for child in children]
        return found


class Flow:
    """Where control goes on after each statement of one file.

    `strict` counts only what is certain: a `with` may swallow an exception, a call may return after
    all. Loose counts what is likely, so that a path is not reported that nobody can take.
    """

    def __init__(self, blocks: Blocks, *, strict: bool) -> None:
        self._strict = strict
        self._ends: dict[int, bool] = {}
        self._breaks = blocks.left_loops
        for node in reversed(blocks.statements):  # from the innermost out
            self._ends[id(node)] = self._ends_after(node)

    def ends(self, body: Sequence[ast.stmt]) -> bool:
        """Whether control never leaves a block at its bottom."""
        return any(self._ends.get(id(statement), False) for statement in body)

    def _ends_after(self, node: ast.stmt) -> bool:
        if isinstance(node, (ast.Return, ast.Raise, ast.Continue, ast.Break)):
            return True
        if isinstance(node, ast.If):
            return bool(node.orelse) and self.ends(node.body) and self.ends(node.orelse)
        if isinstance(node, ast.While):
            return _is_true(node.test) and id(node) not in self._breaks
        if isinstance(node, (ast.Try, ast.TryStar)):
            return self._try_ends(node)
        if isinstance(node, ast.Match):
            return _takes_all(node) and all(self.ends(case.body) for case in node.cases)
        if self._strict:
            return False
        if isinstance(node, (ast.With, ast.AsyncWith)):
            return self.ends(node.body)
        return _is_hopeless(node)

    def _try_ends(self, node: ast.Try | ast.TryStar) -> bool:
        if self.ends(node.finalbody):
            return True
        tried = self.ends(node.body) or self.ends(node.orelse)
        return tried and all(self.ends(handler.body) for handler in node.handlers)


def _is_true(test: ast.expr) -> bool:
    return isinstance(test, ast.Constant) and bool(test.value)


def _takes_all(node: ast.Match) -> bool:
    last = node.cases[-1]
    return last.guard is None and isinstance(last.pattern, ast.MatchAs) and not last.pattern.pattern


def _is_hopeless(node: ast.stmt) -> bool:
    """`assert False`, `sys.exit()`, `self.fail()`: what follows is not meant to run."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    function = node.value.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    return name in _NEVER_RETURN


def flow_findings(path: str, module: PythonModule) -> Iterator[Finding]:
    """Unreachable code and missing returns of one file."""
    blocks = Blocks(module.tree)
    yield from _unreachable(path, module, blocks)
    yield from _missing_returns(path, module, Flow(blocks, strict=False))


def _unreachable(path: str, module: PythonModule, blocks: Blocks) -> Iterator[Finding]:
    """The first statement of each block that control cannot reach."""
    flow = Flow(blocks, strict=True)
    for block in blocks.blocks:
        for index, statement in enumerate(block[:-1]):
            if not flow.ends([statement]):
                continue
            dead = block[index + 1 :]
            if not _is_meant(dead):
                yield _dead_code(path, module, statement, dead)
            break


def _is_meant(dead: list[ast.stmt]) -> bool:
    """A `yield` behind a return makes a generator; a string or `pass` is a remark."""
    if any(isinstance(node, (ast.Yield, ast.YieldFrom)) for s in dead for node in ast.walk(s)):
        return True
    first = dead[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        return True
    # `assert False` says that the place cannot be reached.
    return isinstance(first, (ast.Pass, ast.Assert, ast.Raise))


def _dead_code(path: str, module: PythonModule, last: ast.stmt, dead: list[ast.stmt]) -> Finding:
    first, end = module.places.span(dead[0]), module.places.span(dead[-1]).end
    cause = module.places.span(last)
    return Finding(
        rule=rules.UNREACHABLE_CODE.id,
        path=path,
        span=Span(first.start, end),
        message="This code can never run",
        severity=rules.UNREACHABLE_CODE.severity,
        confidence=1.0,
        witness=f"control never gets past line {last.lineno}",
        related=(Location(path, cause, "control ends here"),),
        symbol=module.symbol_at(dead[0].lineno),
    )


def _missing_returns(path: str, module: PythonModule, flow: Flow) -> Iterator[Finding]:
    """Functions that return a value somewhere and can end without one."""
    for node, _ in module.definitions:
        if isinstance(node, ast.ClassDef) or flow.ends(node.body) or not _is_implemented(node):
            continue
        valued = _returned_value(node)
        if valued is None:
            continue
        promised = ast.unparse(node.returns) if node.returns is not None else ""
        if any(word in promised for word in _MAY_BE_NONE):
            continue
        offset = module.text.find(node.name, module.places.span(node).start + 3)
        yield Finding(
            rule=rules.MISSING_RETURN.id,
            path=path,
            span=Span(offset, offset + len(node.name)),
            message=f"`{node.name}` returns a value on some paths and ends without one on another",
            severity=Severity.WARNING if promised else Severity.NOTE,
            confidence=0.9 if promised else 0.6,
            witness=f"line {valued.lineno} returns a value; the end of the function can be reached",
            related=(Location(path, module.places.span(valued), "a value is returned here"),),
            symbol=module.symbol_at(node.lineno),
        )


def _is_implemented(node: Function) -> bool:
    skipped = {"abstractmethod", "overload", "contextmanager", "asynccontextmanager"}
    return not skipped.intersection(decorators_of(node))


def _returned_value(function: Function) -> ast.Return | None:
    """The function's first return of a value; None when it has none or is a generator."""
    found: ast.Return | None = None
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom)):
            return None
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, ast.Return) and not _is_none(node.value):
            if found is None or node.lineno < found.lineno:
                found = node
        waiting += children_of(node)
    return found


def _is_none(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value is None)
