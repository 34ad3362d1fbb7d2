"""Python text → validity and outline."""

from nested_ray.languages.python.language import Python

__all__ = ["Python"]
