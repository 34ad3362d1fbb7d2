"""A text → findings about its form, and repairs after which it parses."""

from nested_ray.analyzers.syntax.analyzer import SyntaxAnalyzer
from nested_ray.analyzers.syntax.repair import Repair, Scorer, in_context, repair

__all__ = ["Repair", "Scorer", "SyntaxAnalyzer", "in_context", "repair"]
