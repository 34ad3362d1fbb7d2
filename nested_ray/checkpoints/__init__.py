"""Training state → a folder of safetensors and JSON under a manifest, and back, verified."""

from nested_ray.checkpoints.manifest import read_manifest, write_manifest
from nested_ray.checkpoints.store import TrainingState, load_state, save_state

__all__ = ["TrainingState", "load_state", "read_manifest", "save_state", "write_manifest"]
