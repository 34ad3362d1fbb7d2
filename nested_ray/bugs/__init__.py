"""Code and a level's engine → suspicions: wrong names, operators, literals, argument orders."""

from nested_ray.bugs.candidates import find_slots
from nested_ray.bugs.detector import BugDetector
from nested_ray.bugs.inject import InjectedBug, inject
from nested_ray.bugs.rules import RULES
from nested_ray.bugs.slots import KINDS, Slot, SlotKind

__all__ = [
    "KINDS",
    "RULES",
    "BugDetector",
    "InjectedBug",
    "Slot",
    "SlotKind",
    "find_slots",
    "inject",
]
