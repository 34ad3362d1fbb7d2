"""The page at /docs: every route, field and meaning, in plain HTML.

FastAPI's own page loads its scripts from a CDN, which a closed network does not reach.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
code, pre { font-family: ui-monospace, monospace; background: #f3f3f5; border-radius: 4px }
code { padding: .1em .3em } pre { padding: .8em; overflow-x: auto }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .3em .6em;
border-bottom: 1px solid #ddd; vertical-align: top } h2 { margin-top: 2.5rem }
@media (prefers-color-scheme: dark) { body { background: #16161a; color: #e4e4e8 }
code, pre { background: #26262c } td, th { border-color: #333 } }
"""
EXAMPLE = """curl http://127.0.0.1:8000/v1/completions -H 'Content-Type: application/json' \\
  -d '{"model": "auto", "prompt": "def mean(values):\\n    return ", "max_tokens": 16, "stop": "\\n"}'"""


def docs_page(openapi: dict[str, Any]) -> str:
    """The OpenAPI description as one self-contained page."""
    title = escape(openapi["info"]["title"])
    body = "".join(
        route(path, method, operation, openapi)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>"
        f"<meta name=viewport content='width=device-width'><style>{STYLE}</style></head><body>"
        f"<h1>{title}</h1><p>Machine-readable: <a href=/openapi.json>openapi.json</a>. "
        "The official <code>openai</code> client works with base URL <code>…/v1</code>.</p>"
        f"<pre>{escape(EXAMPLE)}</pre>{body}</body></html>"
    )


def route(path: str, method: str, operation: dict[str, Any], openapi: dict[str, Any]) -> str:
    """One route: what it does, what it takes and what it gives."""
    heading = f"<h2><code>{method.upper()} {escape(path)}</code></h2>"
    about = f"<p>{escape(operation.get('description', ''))}</p>"
    request = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    answer = operation["responses"].get("200", {}).get("content", {}).get("application/json", {})
    return heading + about + fields("Takes", request, openapi) + fields("Gives", answer, openapi)


def fields(title: str, content: dict[str, Any], openapi: dict[str, Any]) -> str:
    """A table of the fields of a body; empty where there is no body."""
    schema = resolved(content.get("schema", {}), openapi)
    rows = "".join(rows_of(schema, openapi))
    head = "<tr><th>field</th><th>type</th><th>meaning</th></tr>"
    return f"<h3>{title}</h3><table>{head}{rows}</table>" if rows else ""


def rows_of(schema: dict[str, Any], openapi: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        mark = " (required)" if name in required else ""
        meaning = escape(field.get("description", ""))
        kind = escape(type_of(field, openapi))
        yield f"<tr><td><code>{escape(name)}</code></td><td>{kind}{mark}</td><td>{meaning}</td></tr>"


def type_of(field: dict[str, Any], openapi: dict[str, Any]) -> str:
    """A type as a reader would say it."""
    if "anyOf" in field:
        return " or ".join(type_of(option, openapi) for option in field["anyOf"])
    if "$ref" in field:
        properties = resolved(field, openapi).get("properties", {})
        return "object of " + ", ".join(properties) if properties else "object"
    if field.get("type") == "array":
        return f"list of {type_of(field.get('items', {}), openapi)}"
    return "nothing" if field.get("type") == "null" else field.get("type", "anything")


def resolved(schema: dict[str, Any], openapi: dict[str, Any]) -> dict[str, Any]:
    """The schema behind a reference."""
    if "$ref" not in schema:
        return schema
    return openapi["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
