"""A tree or a diff → ranked findings in the formats that people and tools read."""

from nested_ray.review.baseline import Baseline
from nested_ray.review.change import Change, compare
from nested_ray.review.detectors import Detector
from nested_ray.review.patched import of_patch
from nested_ray.review.report import Remark, ReviewReport
from nested_ray.review.reviewer import Reviewers, Unread, review

__all__ = [
    "Baseline",
    "Change",
    "Detector",
    "Remark",
    "ReviewReport",
    "Reviewers",
    "Unread",
    "compare",
    "of_patch",
    "review",
]
