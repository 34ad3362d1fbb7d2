"""A nest directory and a prompt → an answer in chunks, with every token's probability. Imports no torch by itself."""

from nested_ray.inference.base import (
    Chunk,
    Engine,
    FinishReason,
    Prompt,
    SamplingParams,
    TokenLogprob,
    Usage,
)
from nested_ray.inference.bundle import NestSpec, read_spec, write_spec
from nested_ray.inference.confidence import confidence
from nested_ray.inference.ensemble import choose_candidate

__all__ = [
    "Chunk",
    "Engine",
    "FinishReason",
    "NestSpec",
    "Prompt",
    "SamplingParams",
    "TokenLogprob",
    "Usage",
    "choose_candidate",
    "confidence",
    "read_spec",
    "write_spec",
]
