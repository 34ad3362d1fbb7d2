"""Python text → what its classes and functions do, as far as design patterns are made of it."""

from __future__ import annotations

import ast
import warnings
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef
_MAX_CHARS = 1_000_000
_CONTAINERS = frozenset(
    {"list", "dict", "set", "tuple", "deque", "defaultdict", "counter", "ordereddict", "bytearray"}
)


@dataclass(frozen=True)
class Method:
    """A function, or a method of a class."""

    name: str
    node: Function
    is_of_class: bool = False

    @cached_property
    def nodes(self) -> tuple[ast.AST, ...]:
        """Everything inside, nested functions included."""
        return tuple(ast.walk(self.node))

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """Names of the parameters, without the `self` or `cls` of a method."""
        arguments = self.node.args
        positional = [each.arg for each in (*arguments.posonlyargs, *arguments.args)]
        if self.is_of_class and positional[:1] in (["self"], ["cls"], ["mcs"]):
            del positional[0]
        return (*positional, *(each.arg for each in arguments.kwonlyargs))

    @property
    def is_public(self) -> bool:
        return not self.name.startswith("_")

    @cached_property
    def is_abstract(self) -> bool:
        """Declared so, or a body that only raises NotImplementedError."""
        if any(last_name(each) == "abstractmethod" for each in self.node.decorator_list):
            return True
        body = without_doc(self.node.body)
        raised = body[0].exc if len(body) == 1 and isinstance(body[0], ast.Raise) else None
        called = raised.func if isinstance(raised, ast.Call) else raised
        return called is not None and last_name(called) == "NotImplementedError"

    @cached_property
    def is_empty(self) -> bool:
        """Nothing but a docstring, `pass` or `...`."""
        return all(
            isinstance(each, ast.Pass)
            or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
            for each in self.node.body
        )

    @cached_property
    def returned(self) -> tuple[ast.expr, ...]:
        """Values of its own `return` statements."""
        return tuple(
            node.value for node in own_nodes(self.node)
            if isinstance(node, ast.Return) and node.value is not None
        )  # fmt: skip

    @cached_property
    def calls(self) -> tuple[ast.Call, ...]:
        return tuple(node for node in self.nodes if isinstance(node, ast.Call))

    @cached_property
    def self_calls(self) -> frozenset[str]:
        """Methods called on the object itself."""
        return frozenset(
            call.func.attr
            for call in self.calls
            if isinstance(call.func, ast.Attribute) and is_name(call.func.value, "self")
        )

    @cached_property
    def delegations(self) -> tuple[tuple[str, str, ast.Call], ...]:
        """(attribute, method, call) of every `self.attribute.method(...)`."""
        return tuple(
            (name, call.func.attr, call)
            for call in self.calls
            if isinstance(call.func, ast.Attribute) and (name := self_attribute(call.func.value))
        )


@dataclass
class Class:
    """A class with its methods and the attributes it is given."""

    name: str
    node: ast.ClassDef
    methods: dict[str, Method] = field(default_factory=dict)
    bases: tuple[str, ...] = ()
    """Last names of the base classes."""

    @cached_property
    def public(self) -> dict[str, Method]:
        return {name: method for name, method in self.methods.items() if method.is_public}

    @cached_property
    def is_protocol(self) -> bool:
        return "Protocol" in self.bases

    @cached_property
    def abstract(self) -> frozenset[str]:
        """Methods left to subclasses; of a protocol, all that have no body."""
        return frozenset(
            name
            for name, method in self.methods.items()
            if method.is_abstract or (self.is_protocol and method.is_empty)
        )

    @cached_property
    def assigned(self) -> tuple[tuple[str, ast.expr, Method], ...]:
        """(attribute, value, method) of every `self.attribute = value`."""
        found: list[tuple[str, ast.expr, Method]] = []
        for method in self.methods.values():
            for node in method.nodes:
                targets = node.targets if isinstance(node, ast.Assign) else []
                if isinstance(node, ast.AnnAssign) and node.value is not None:
                    targets = [node.target]
                for target in targets:
                    if (name := self_attribute(target)) and isinstance(
                        node, ast.Assign | ast.AnnAssign
                    ):
                        if node.value is not None:
                            found.append((name, node.value, method))
        return tuple(found)

    @cached_property
    def given(self) -> dict[str, str]:
        """Attribute → annotation's last name (or empty) of what callers hand in and the object keeps."""
        found: dict[str, str] = {}
        for name, value, method in self.assigned:
            if method.name == "__init__" or len(method.parameters) == 1:
                for part in ast.walk(value):
                    if (
                        isinstance(part, ast.Name)
                        and part.id in method.parameters
                        and name not in found
                    ):
                        if not isinstance(value, ast.Call):
                            found[name] = annotation_of(method, part.id)
        for node in self.node.body:
            if (
                isinstance(node, ast.AnnAssign)
                and isinstance(node.target, ast.Name)
                and self.is_data
            ):
                found.setdefault(node.target.id, annotation_name(node.annotation))
        return found

    @cached_property
    def is_data(self) -> bool:
        """A dataclass: its fields are what it is given."""
        return any(
            last_name(each.func if isinstance(each, ast.Call) else each) in ("dataclass", "define")
            for each in self.node.decorator_list
        )


@dataclass
class Module:
    """Classes and top-level functions of one file."""

    tree: ast.Module
    classes: dict[str, Class] = field(default_factory=dict)
    functions: dict[str, Method] = field(default_factory=dict)

    @cached_property
    def subclasses(self) -> dict[str, list[Class]]:
        """Classes of this file by the name of their base."""
        found: defaultdict[str, list[Class]] = defaultdict(list)
        for each in self.classes.values():
            for base in each.bases:
                found[base].append(each)
        return found

    def implementors(self, method: str) -> list[Class]:
        """Classes with a body for a method of that name."""
        return [
            each
            for each in self.classes.values()
            if method in each.methods and method not in each.abstract
        ]


def read_module(text: str) -> Module | None:
    """None where the text does not parse."""
    if len(text) > _MAX_CHARS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    module = Module(tree)
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            module.classes[node.name] = _read_class(node)
        elif isinstance(node, Function):
            module.functions[node.name] = Method(node.name, node)
    return module


def _read_class(node: ast.ClassDef) -> Class:
    methods = {
        each.name: Method(each.name, each, True) for each in node.body if isinstance(each, Function)
    }
    bases = [*node.bases, *(each.value for each in node.keywords)]
    return Class(node.name, node, methods, tuple(last_name(base) for base in bases))


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """Nodes of a function without those of functions and classes inside it."""
    waiting: deque[ast.AST] = deque(function.body)
    while waiting:
        node = waiting.popleft()
        yield node
        if not isinstance(node, Function | ast.ClassDef | ast.Lambda):
            waiting.extend(ast.iter_child_nodes(node))


def inner_functions(function: Function) -> list[Method]:
    """Functions defined directly inside."""
    return [Method(node.name, node) for node in own_nodes(function) if isinstance(node, Function)]


def last_name(node: ast.AST | None) -> str:
    """`abc.ABC` → ABC; `Generic[T]` → Generic; of a call, what is called; empty for the rest."""
    while node is not None:
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, ast.Attribute):
            return node.attr
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call):
            node = node.func
        else:
            return ""
    return ""


def is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def self_attribute(node: ast.AST) -> str:
    """The name of `self.name`; empty for the rest."""
    if isinstance(node, ast.Attribute) and is_name(node.value, "self"):
        return node.attr
    return ""


def annotation_of(method: Method, parameter: str) -> str:
    arguments = method.node.args
    for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        if each.arg == parameter:
            return annotation_name(each.annotation)
    return ""


def annotation_name(node: ast.expr | None) -> str:
    """The class an annotation names first: `Backoff | None` → Backoff."""
    while node is not None:
        if isinstance(node, ast.BinOp):
            node = node.left
        elif isinstance(node, ast.Subscript) and last_name(node.value) == "Optional":
            node = node.slice
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value.partition("|")[0].strip()
        else:
            return last_name(node)
    return ""


def root_name(node: ast.AST | None) -> str:
    """The name a chain begins with: `cls` of `cls._all[key].make()`."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def without_doc(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_doc = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_doc and len(body) > 1 else body


def is_container(node: ast.expr) -> bool:
    """`[]`, `{}`, `dict()`, `deque()`: something to keep things in, not an object to work with."""
    if isinstance(node, ast.Call):
        return last_name(node.func).lower() in _CONTAINERS
    return isinstance(node, ast.List | ast.Dict | ast.Set | ast.Tuple | ast.Constant | ast.ListComp)


def is_class_name(name: str) -> bool:
    """`JsonReader`, and not `JSON_LIMIT`, `ValueError` or `read`."""
    return (
        name[:1].isupper()
        and not name.isupper()
        and not name.endswith(("Error", "Exception", "Warning"))
    )
