"""Training state → a folder of safetensors and JSON under a manifest, and back, verified."""

from nested_ray.checkpoints.finding import Found, newest_whole, step_of, verify_checkpoint
from nested_ray.checkpoints.manifest import read_manifest, write_manifest
from nested_ray.checkpoints.store import TrainingState, load_state, save_state

__all__ = [
    "Found",
    "TrainingState",
    "load_state",
    "newest_whole",
    "read_manifest",
    "save_state",
    "step_of",
    "verify_checkpoint",
    "write_manifest",
]
