"""Token ids → verbatim recall: what the corpus and the file being edited remember, and how to mix it in."""

from nested_ray.memory.buckets import NUM_BUCKETS
from nested_ray.memory.index import NgramIndex
from nested_ray.memory.mixing import LEVEL_EXPERTS, MEMORY_EXPERTS, MixingWeights
from nested_ray.memory.state import MemoryState, Recall

__all__ = [
    "LEVEL_EXPERTS",
    "MEMORY_EXPERTS",
    "NUM_BUCKETS",
    "MemoryState",
    "MixingWeights",
    "NgramIndex",
    "Recall",
]
