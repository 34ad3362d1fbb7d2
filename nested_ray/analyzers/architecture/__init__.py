"""A repository → its graph, layers, patterns and places, and what is wrong with them, with proof."""

from nested_ray.analyzers.architecture.analyzer import ArchitectureAnalyzer
from nested_ray.analyzers.architecture.placement import PlacementModel, train_placement

__all__ = ["ArchitectureAnalyzer", "PlacementModel", "train_placement"]
