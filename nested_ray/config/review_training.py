"""What a nest learns for reviews besides its levels: to find wrong words, and where code belongs."""

from __future__ import annotations

from pydantic import Field

from nested_ray.config.base import Settings


class ReviewTrainingConfig(Settings):
    """The classifiers that are trained with the nest, after its levels."""

    enabled: bool = True
    """Without them a review has its proofs alone."""
    levels: tuple[str, ...] = ()
    """Names of the levels that learn to find wrong words; none: those of kind `semantics`."""
    placement: bool = True
    """Learn from the layout of the code where a definition belongs."""
    max_ranker_lines: int = Field(default=25_000, gt=0)
    """Lines of the training split from which the choice between names, operators and literals is learned."""
    max_calibration_lines: int = Field(default=12_000, gt=0)
    """Lines of the validation split by which confidence is calibrated."""
    max_rescored: int = Field(default=400, ge=20)
    """Places, right and with an injected bug, that the level reads for it."""
    bugs_per_1000_lines: float = Field(default=1.0, gt=0, le=1000)
    """How frequent such bugs are taken to be: confidence is a probability at this rate."""
    max_alarms_per_1000_lines: float = Field(default=1.0, gt=0)
    """The threshold lets at most so many findings through in 1,000 lines of right code."""
