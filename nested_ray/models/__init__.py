"""A level's model source → a decoder with weights, and back to files."""

from nested_ray.models.files import load_model, save_model
from nested_ray.models.scratch import PRESETS, Preset, build_model
from nested_ray.models.window import WindowModel

__all__ = ["PRESETS", "Preset", "WindowModel", "build_model", "load_model", "save_model"]
