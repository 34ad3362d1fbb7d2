"""A drawing as a Mermaid flowchart."""

from __future__ import annotations

from nested_ray.analyzers.architecture.pictures.drawing import Drawing


def to_mermaid(drawing: Drawing) -> str:
    """Text that Mermaid draws; links against the flow are dotted."""
    ids = {node.name: f"n{index}" for index, node in enumerate(drawing.nodes)}
    lines = ["flowchart TD"]
    lines += [f'    {ids[node.name]}["{quoted(node.label)}"]' for node in drawing.nodes]
    for arrow in drawing.arrows:
        stroke = "-.->" if arrow.is_against else "-->"
        lines.append(
            f"    {ids[arrow.source.name]} {stroke}|{arrow.count}| {ids[arrow.target.name]}"
        )
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Text for a quoted label: marks that mean something to Mermaid or HTML become entities."""
    return "".join(
        char if char.isalnum() or char in " _.,-…()/" else f"#{ord(char)};" for char in text
    )
