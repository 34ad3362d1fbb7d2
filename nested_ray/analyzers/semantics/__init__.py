"""A repository → semantic findings: names, calls, unused and unreachable code, for Python and BSL."""

from nested_ray.analyzers.semantics.analyzer import SemanticsAnalyzer

__all__ = ["SemanticsAnalyzer"]
