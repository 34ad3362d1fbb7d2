"""Ask → the cheapest Answer that can be trusted. Imports neither torch nor ray."""

from nested_ray.routing.base import Answer, Ask, Choice, Completion, LevelAnswer, LevelClient
from nested_ray.routing.cascade import Router
from nested_ray.routing.experiments import Arm, LevelFacts, assign
from nested_ray.routing.verify import Verifier

__all__ = [
    "Answer",
    "Arm",
    "Ask",
    "Choice",
    "Completion",
    "LevelAnswer",
    "LevelClient",
    "LevelFacts",
    "Router",
    "Verifier",
    "assign",
]
