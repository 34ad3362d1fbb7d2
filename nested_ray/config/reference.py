"""docs/configuration.md, written from the settings themselves.

Run `python -m nested_ray.config.reference > docs/configuration.md` after changing a setting.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Iterator
from typing import Any, cast

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from nested_ray.config.base import Settings
from nested_ray.config.review import ReviewConfig
from nested_ray.config.serve import ServeConfig
from nested_ray.config.train import TrainConfig

INTRODUCTION = """\
# Configuration

Every setting of a training run (`train_configs/*.yaml`), of a Serve application (`args:` in
`serve_configs/*.yaml`) and of a repository's review (`nested-ray.yaml`). Unknown keys are errors. One setting can be changed for one launch:
`nested-ray train CONFIG --set distill.weight=0.3 --set levels.syntax.budget.max_steps=500`.

Postgres, Redis and S3 are addressed by `DATABASE_URL`, `REDIS_URL`, `AWS_ENDPOINT_URL` with
`NESTED_RAY_BUCKET` (default `nested-ray`) and boto3's own credential variables; what is not set is
started as an embedded server under `NESTED_RAY_HOME` (default `./.nested-ray`).

This page is written by `python -m nested_ray.config.reference`.
"""


def render() -> str:
    """The whole page as Markdown."""
    parts = [INTRODUCTION]
    seen: set[type[BaseModel]] = set()
    for title, root in (
        ("Training", TrainConfig),
        ("Serving", ServeConfig),
        ("Review", ReviewConfig),
    ):
        parts.append(f"## {title}\n")
        for model in models_below(root):
            if model not in seen:
                seen.add(model)
                parts.append(render_model(model))
    return "\n".join(parts)


def models_below(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and every model its fields hold, in order of appearance."""
    yield root
    for field in root.model_fields.values():
        for child in models_in(field.annotation):
            yield from models_below(child)


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The config models named anywhere in a type annotation."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from models_in(argument)


def render_model(model: type[BaseModel]) -> str:
    """One table: setting, type, default, meaning."""
    lines = [f"### {model.__name__}\n", f"{(model.__doc__ or '').strip()}\n"]
    lines += ["| setting | type | default | meaning |", "|---|---|---|---|"]
    for name, field in model.model_fields.items():
        meaning = " ".join((field.description or "").split()).replace("|", "\\|")
        lines.append(
            f"| `{name}` | {type_name(field.annotation)} | {default_of(field)} | {meaning} |"
        )
    return "\n".join(lines) + "\n"


def type_name(annotation: Any) -> str:
    """A type as a reader of YAML would say it."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return " or ".join(f"`{argument}`" for argument in arguments)
    if origin is typing.Annotated:
        return type_name(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return " or ".join(type_name(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {type_name(arguments[0])}"
    if origin is dict:
        return f"map of {type_name(arguments[0])} to {type_name(arguments[1])}"
    if annotation is type(None):
        return "nothing"
    return getattr(annotation, "__name__", str(annotation))


def default_of(field: FieldInfo) -> str:
    """The default as YAML would write it; a section's defaults stand in its own table."""
    if field.is_required():
        return "required"
    value = field.default
    if value is PydanticUndefined or isinstance(value, Settings):
        return "see its table"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return "`[" + ", ".join(map(str, cast("tuple[object, ...]", value))) + "]`"
    return "none" if value is None else f"`{value}`"


if __name__ == "__main__":
    sys.stdout.write(render())
