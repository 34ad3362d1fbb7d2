"""A ReviewReport → text for people; JSON, SARIF 2.1.0 and reviewdog's rdjson for machines."""

from nested_ray.review.formats.rdjson import render_rdjson
from nested_ray.review.formats.report_json import render_json
from nested_ray.review.formats.sarif import render_sarif
from nested_ray.review.formats.text import coloured, plain, render_text

__all__ = ["coloured", "plain", "render_json", "render_rdjson", "render_sarif", "render_text"]
