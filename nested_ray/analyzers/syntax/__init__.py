"""A text → findings about its form, and repairs after which it parses."""

from nested_ray.analyzers.syntax.analyzer import SyntaxAnalyzer
from nested_ray.analyzers.syntax.mending import mend
from nested_ray.analyzers.syntax.repair import Repair, Scorer, in_context, repair
from nested_ray.analyzers.syntax.rewriting import rewrite

__all__ = ["Repair", "Scorer", "SyntaxAnalyzer", "in_context", "mend", "repair", "rewrite"]
