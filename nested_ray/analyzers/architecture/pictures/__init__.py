"""An ArchitectureReport → pictures: Mermaid, SVG, HTML, none of which needs anything else to be shown."""

from nested_ray.analyzers.architecture.pictures.drawing import Drawing, draw
from nested_ray.analyzers.architecture.pictures.html import to_html
from nested_ray.analyzers.architecture.pictures.mermaid import to_mermaid
from nested_ray.analyzers.architecture.pictures.svg import to_svg

__all__ = ["Drawing", "draw", "to_html", "to_mermaid", "to_svg"]
