"""A repository → a model of which package or 1C subsystem code belongs to."""

from nested_ray.analyzers.architecture.placement.model import PlacementModel
from nested_ray.analyzers.architecture.placement.training import train_placement

__all__ = ["PlacementModel", "train_placement"]
