"""A drawing as SVG that stands by itself."""

from __future__ import annotations

from math import log1p
from xml.sax.saxutils import escape, quoteattr

from nested_ray.analyzers.architecture.pictures.drawing import Arrow, Drawing, Node

_STYLE = """
svg { background: #fff; font: 12px system-ui, sans-serif; }
.node rect { fill: #eef3fb; stroke: #4a6fa5; rx: 6px; }
.node text { fill: #1b2a41; text-anchor: middle; pointer-events: none; }
.node .size { fill: #667; font-size: 10px; }
.arrow { fill: none; stroke: #8a97ab; opacity: .55; }
.arrow.against { stroke: #c0392b; stroke-dasharray: 5 3; opacity: .9; }
"""


def to_svg(drawing: Drawing, *, title: str = "Architecture") -> str:
    """Boxes in rows, users above what they use; links against the flow are red and dashed."""
    width, height = max(drawing.width, 120), max(drawing.height, 60)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img">',
        f"<title>{clean(title)}</title>",
        f"<style>{_STYLE}</style>",
        _marker("head", "#8a97ab"),
        _marker("against", "#c0392b"),
        *(_arrow(arrow) for arrow in drawing.arrows),
        *(_node(node) for node in drawing.nodes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _marker(name: str, colour: str) -> str:
    return (
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" '
        f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
    )


def _arrow(arrow: Arrow) -> str:
    """From the edge of one box to the edge of the other, bent where both stand in one row."""
    source, target = arrow.source, arrow.target
    x1, x2 = source.x + source.width // 2, target.x + target.width // 2
    if source.y < target.y:
        y1, y2, bend = source.y + source.height, target.y, 30
    elif source.y > target.y:
        y1, y2, bend = source.y, target.y + target.height, -30
    else:
        y1, y2, bend = source.y, target.y, -40
    bend_end = bend if source.y == target.y else -bend
    kind = "against" if arrow.is_against else "head"
    words = f"{arrow.source.name} uses {arrow.target.name}: {arrow.count}"
    return (
        f'<path class="arrow{" against" if arrow.is_against else ""}" marker-end="url(#{kind})" '
        f'stroke-width="{1 + log1p(arrow.count) / 3:.1f}" data-source={attribute(source.name)} '
        f"data-target={attribute(target.name)} "
        f'd="M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 + bend_end} {x2} {y2}">'
        f"<title>{clean(words)}</title></path>"
    )


def _node(node: Node) -> str:
    middle = node.x + node.width // 2
    packages = "" if len(node.packages) == 1 else f"{len(node.packages)} packages, "
    size = f"{packages}{node.num_units:,} modules, {node.num_lines:,} lines"
    return (
        f'<g class="node" data-name={attribute(node.name)} tabindex="0">'
        f"<title>{clean(node.name)}: {clean(size)}</title>"
        f'<rect x="{node.x}" y="{node.y}" width="{node.width}" height="{node.height}"/>'
        f'<text x="{middle}" y="{node.y + 18}">{clean(node.label)}</text>'
        f'<text class="size" x="{middle}" y="{node.y + 32}">{node.num_units:,} · {node.num_lines:,}</text></g>'
    )


def clean(text: str) -> str:
    """Text for XML: marked up characters escaped, characters that XML forbids replaced."""
    return escape("".join(char if _is_allowed(char) else "\ufffd" for char in text))


def attribute(text: str) -> str:
    """The same as a quoted attribute value."""
    return quoteattr("".join(char if _is_allowed(char) else "\ufffd" for char in text))


def _is_allowed(char: str) -> bool:
    code = ord(char)
    return code in (9, 10, 13) or 32 <= code < 0xD800 or 0xE000 <= code < 0xFFFE or code > 0xFFFF
