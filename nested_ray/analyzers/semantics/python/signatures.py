"""What a Python function or class takes when it is called, and whether a call fits."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from nested_ray.analyzers.semantics.python.tree import Function

_KEEP_SIGNATURE = {
    *("staticmethod", "classmethod", "abstractmethod", "override", "final"),
    *("contextmanager", "asynccontextmanager", "cache", "lru_cache"),
}


@dataclass(frozen=True)
class Signature:
    """The parameters a caller fills."""

    positional: tuple[str, ...]
    num_positional_only: int = 0
    num_required: int = 0
    """Of the positional ones, from the left."""
    keyword_only: frozenset[str] = frozenset()
    required_keywords: frozenset[str] = frozenset()
    takes_more: bool = False
    """`*args`."""
    takes_any_keyword: bool = False
    """`**kwargs`."""

    def without_first(self) -> Signature | None:
        """As a bound method is called; None when there is no first parameter to bind."""
        if not self.positional:
            return self if self.takes_more else None
        return Signature(
            self.positional[1:],
            max(0, self.num_positional_only - 1),
            max(0, self.num_required - 1),
            self.keyword_only,
            self.required_keywords,
            self.takes_more,
            self.takes_any_keyword,
        )


def decorators_of(node: Function | ast.ClassDef) -> list[str]:
    """The last word of each decorator: `functools.lru_cache(maxsize=3)` → `lru_cache`."""
    names: list[str] = []
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call):
            decorator = decorator.func
        names.append(getattr(decorator, "attr", getattr(decorator, "id", "")))
    return names


def signature_of(node: Function) -> Signature | None:
    """Of a function as written; None when a decorator may change what callers see."""
    if not _KEEP_SIGNATURE.issuperset(decorators_of(node)):
        return None
    arguments = node.args
    positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    keyword_only = [a.arg for a in arguments.kwonlyargs]
    required = zip(keyword_only, arguments.kw_defaults, strict=True)
    return Signature(
        tuple(positional),
        len(arguments.posonlyargs),
        len(positional) - len(arguments.defaults),
        frozenset(keyword_only),
        frozenset(name for name, default in required if default is None),
        arguments.vararg is not None,
        arguments.kwarg is not None,
    )


def misfit(call: ast.Call, signature: Signature) -> str | None:
    """Why the call must fail, as the end of a sentence about what is called; None when it may work."""
    given = [argument for argument in call.args if not isinstance(argument, ast.Starred)]
    named = [keyword.arg for keyword in call.keywords if keyword.arg is not None]
    is_open = len(given) < len(call.args) or len(named) < len(call.keywords)
    return (
        _too_many(signature, len(given))
        or _bad_keyword(signature, len(given), named)
        or (None if is_open else _missing(signature, len(given), named))
    )


def _too_many(signature: Signature, num_given: int) -> str | None:
    most = len(signature.positional)
    if num_given <= most or signature.takes_more:
        return None
    least = signature.num_required
    takes = f"{most}" if least == most else f"{least} to {most}"
    return f"takes {takes} positional {_arguments(most)}, the call passes {num_given}"


def _bad_keyword(signature: Signature, num_given: int, named: list[str]) -> str | None:
    by_keyword = signature.positional[signature.num_positional_only :]
    filled = set(signature.positional[signature.num_positional_only : num_given])
    for name in named:
        if name in filled:
            return f"gets `{name}` twice, by position and by name"
        if name in by_keyword or name in signature.keyword_only or signature.takes_any_keyword:
            continue
        if name in signature.positional:
            return f"takes `{name}` by position only"
        return f"has no parameter `{name}`"
    return None


def _missing(signature: Signature, num_given: int, named: list[str]) -> str | None:
    required = signature.positional[num_given : signature.num_required]
    missing = [name for name in required if name not in named]
    missing += sorted(signature.required_keywords.difference(named))
    if not missing:
        return None
    return f"needs {_arguments(len(missing))} {_listed(missing)}, which the call does not pass"


def _arguments(count: int) -> str:
    return "argument" if count == 1 else "arguments"


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return ", ".join(quoted[:-1]) + " and " + quoted[-1] if len(quoted) > 1 else quoted[0]
