"""Settings: the base of every config model, and how a YAML file becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, cast

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, ValidationError

from nested_ray.errors import ConfigError


class Settings(BaseModel):
    """Base of every config model: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def from_yaml(cls, path: str | Path, overrides: Sequence[str] = ()) -> Self:
        """Read one YAML file; each override is `dotted.key=value` with a YAML value.

        Raises ConfigError with one line per problem, each naming its key.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as exc:
            raise ConfigError(f"cannot read config {path}: {exc}; it must be UTF-8 text") from exc
        try:
            values: Any = yaml.safe_load(text) or {}
        except (yaml.YAMLError, ValueError) as exc:  # ValueError: a date such as 2024-99-99
            raise ConfigError(f"{path} is not valid YAML: {exc}") from exc
        if not isinstance(values, dict):
            raise ConfigError(
                f"{path} must be a mapping of settings, found {type(values).__name__}"
            )
        settings = cast("dict[str, Any]", values)
        for override in overrides:
            set_dotted(settings, override)
        return cls.from_values(settings, source=str(path))

    @classmethod
    def from_values(cls, values: dict[str, Any], source: str = "config") -> Self:
        """Validate plain values; raises ConfigError naming `source` and every wrong key."""
        try:
            return cls.model_validate(values)
        except ValidationError as exc:
            raise ConfigError(f"{source}:\n{describe(exc)}") from exc


def by_type(default: str) -> Discriminator:
    """Chooses the member of a union by its `type:`; `default` where none is written."""

    def type_of(value: Any) -> Any:
        if isinstance(value, dict):
            return cast("dict[str, Any]", value).get("type", default)
        return getattr(value, "type", None)

    return Discriminator(type_of)


def set_dotted(values: dict[str, Any], override: str) -> None:
    """Apply `a.b.0.c=value` in place; list items are addressed by position or by their `name`."""
    key, separator, text = override.partition("=")
    if not separator:
        raise ConfigError(f"--set {override}: expected key=value, such as distill.weight=0.3")
    try:
        value = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as exc:
        raise ConfigError(f"--set {override}: the value is not valid YAML: {exc}") from exc
    *parents, last = key.split(".")
    node: Any = values
    for part in parents:
        node = node[_place(node, part, override)]
    node[_place(node, last, override)] = value


def _place(node: Any, part: str, override: str) -> Any:
    """The key or position that `part` means in a mapping (where it may be new) or a list."""
    if isinstance(node, list):
        return _position(cast("list[Any]", node), part, override)
    if not isinstance(node, dict):
        raise ConfigError(f"--set {override}: {part} lies inside a plain value")
    cast("dict[str, Any]", node).setdefault(part, {})
    return part


def _position(items: list[Any], part: str, override: str) -> int:
    if part.isdigit() and int(part) < len(items):
        return int(part)
    for position, item in enumerate(items):
        if isinstance(item, dict) and cast("dict[str, Any]", item).get("name") == part:
            return position
    raise ConfigError(f"--set {override}: no list item {part!r}")


def describe(exc: ValidationError) -> str:
    """One line per problem: `  levels.0.lr.peak: Input should be greater than 0`."""
    lines: list[str] = []
    for error in exc.errors():
        key = ".".join(str(part) for part in error["loc"]) or "(whole file)"
        message = error["msg"]
        if error["type"] == "extra_forbidden":
            message = "unknown setting; see docs/configuration.md"
        lines.append(f"  {key}: {message}")
    return "\n".join(lines)
