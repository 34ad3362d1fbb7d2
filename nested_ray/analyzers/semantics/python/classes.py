"""Python classes whose whole ancestry is known: their methods and what making one takes."""

from __future__ import annotations

import ast
import builtins

from nested_ray.analyzers.semantics.python.module import PythonModule
from nested_ray.analyzers.semantics.python.signatures import Signature, decorators_of, signature_of
from nested_ray.analyzers.semantics.python.tree import Function, Scope

_EXCEPTIONS = {
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
}
_MAX_ANCESTORS = 50


def ancestry(module: PythonModule, node: ast.ClassDef) -> list[ast.ClassDef] | None:
    """The class and its ancestors, nearest first; None unless all are plain classes of this file.

    Single inheritance only: with several bases the order depends on classes not seen here.
    """
    found: list[ast.ClassDef] = []
    while node not in found and len(found) < _MAX_ANCESTORS:
        found.append(node)
        if node.keywords or node.decorator_list or len(node.bases) > 1:
            return None
        if not node.bases:
            return found
        base = node.bases[0]
        if not isinstance(base, ast.Name):
            return None
        bound = module.scope.bindings.get(base.id, [])
        if not bound and base.id in ("object", *_EXCEPTIONS):
            return found
        if len(bound) != 1 or not isinstance(bound[0], ast.ClassDef):
            return None
        node = bound[0]
    return None


def method(module: PythonModule, classes: list[ast.ClassDef], name: str) -> Function | None:
    """The method that the name means in a class of this ancestry; None when that is not certain."""
    if name in module.stored_attributes:
        return None
    for node in classes:
        bound = module.scopes[node].bindings.get(name, [])
        if len(bound) > 1:
            return None
        if bound:
            found = bound[0]
            return found if isinstance(found, (ast.FunctionDef, ast.AsyncFunctionDef)) else None
    return None


def overridden(module: PythonModule, node: ast.ClassDef, name: str) -> bool:
    """Whether another class of the file that may inherit from this one has the method too."""
    heirs = {node.name}
    others = [each for each, _ in module.definitions if isinstance(each, ast.ClassDef)]
    for other in others:  # a class stands after its bases
        bases = {getattr(b, "id", getattr(b, "attr", "")) for b in other.bases}
        if bases & heirs:
            heirs.add(other.name)
            if name in module.scopes[other].bindings:
                return True
    return False


def construction(module: PythonModule, node: ast.ClassDef) -> tuple[Signature, ast.AST] | None:
    """What calling the class takes and what says so; None when that is not certain."""
    if "dataclass" in decorators_of(node):
        return _dataclass_construction(module, node)
    classes = ancestry(module, node)
    if classes is None or any("__new__" in module.scopes[each].bindings for each in classes):
        return None
    init = method(module, classes, "__init__")
    if init is not None:
        signature = signature_of(init)
        bound = signature.without_first() if signature else None
        return (bound, init) if bound else None
    defined = any("__init__" in module.scopes[each].bindings for each in classes)
    is_plain = all(getattr(b, "id", "") == "object" for b in classes[-1].bases)
    return (Signature(()), node) if is_plain and not defined else None


def _dataclass_construction(
    module: PythonModule, node: ast.ClassDef
) -> tuple[Signature, ast.AST] | None:
    """Of `@dataclass` without arguments on a class without bases."""
    plain = len(node.decorator_list) == 1 and not isinstance(node.decorator_list[0], ast.Call)
    names = module.scopes[node].bindings
    if not plain or node.bases or node.keywords or {"__init__", "__new__"} & names.keys():
        return None
    positional: list[str] = []
    num_required = 0
    for statement in node.body:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            continue
        annotation = ast.unparse(statement.annotation)
        if _is_variable(module, statement.annotation):
            return None  # its value may be "ClassVar"
        if "ClassVar" in annotation:
            continue
        # `field(...)` may leave the field out, and KW_ONLY changes what follows.
        if isinstance(statement.value, ast.Call) or "KW_ONLY" in annotation:
            return None
        if len(names[statement.target.id]) > 1:
            return None
        positional.append(statement.target.id)
        num_required += statement.value is None
    return Signature(tuple(positional), 0, num_required), node


def _is_variable(module: PythonModule, annotation: ast.expr) -> bool:
    """Whether a plain name is bound by some function."""
    name = getattr(annotation, "id", None)
    return name is not None and any(
        name in scope.bindings for scope in module.scopes.values() if scope.kind == "function"
    )


def enclosing_class(scope: Scope) -> ast.ClassDef | None:
    """The class whose method the scope is the body of."""
    parent = scope.parent
    if scope.kind != "function" or parent is None or not isinstance(parent.node, ast.ClassDef):
        return None
    return parent.node
