"""A repository → the design patterns in it: of Python classes and functions, and of 1C modules."""

from nested_ray.analyzers.architecture.patterns.base import PatternMatch
from nested_ray.analyzers.architecture.patterns.find import find_patterns

__all__ = ["PatternMatch", "find_patterns"]
