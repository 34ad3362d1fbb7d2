"""Baseline: the findings a team has decided to live with, in a file beside the code."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from nested_ray.errors import ConfigError
from nested_ray.review.report import Remark

FORMAT = "nested-ray-baseline/1"
MAX_BYTES = 200_000_000


@dataclass(frozen=True)
class Baseline:
    """Fingerprints that are known, with the path each one lies in."""

    paths: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """Raises ConfigError for a file that is missing or no baseline."""
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ConfigError(f"baseline {path} is larger than {MAX_BYTES:,} bytes")
            values: Any = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as exc:
            raise ConfigError(
                f"cannot read baseline {path}: {exc}; write one with --write-baseline {path}"
            ) from exc
        try:
            if values["format"] != FORMAT:
                raise ValueError(f"its format is {values['format']!r}")
            known = cast("list[dict[str, str]]", values["findings"])
            return cls({str(each["fingerprint"]): str(each["path"]) for each in known})
        except (KeyError, TypeError, ValueError) as exc:
            raise ConfigError(
                f"{path} is not a baseline ({exc}); write one with --write-baseline {path}"
            ) from exc

    def knows(self, remark: Remark) -> bool:
        """Whether the remark, or a finding that it stands for, is known."""
        return any(fingerprint in self.paths for fingerprint in remark.fingerprints)

    def gone(self, remarks: Iterable[Remark], reviewed: Collection[str]) -> int:
        """How many known findings of the reviewed files no longer occur."""
        seen = {fingerprint for remark in remarks for fingerprint in remark.fingerprints}
        return sum(path in reviewed and key not in seen for key, path in self.paths.items())


def render_baseline(remarks: Iterable[Remark]) -> str:
    """The file that makes these remarks known: one line each, in order, so that merges stay small."""
    rows = sorted(
        json.dumps(
            {
                "path": finding.path,
                "rule": finding.rule,
                "fingerprint": fingerprint,
                "message": finding.message,
            },
            ensure_ascii=False,
        )
        for remark in remarks
        for finding, fingerprint in zip(
            (remark.finding, *remark.also), remark.fingerprints, strict=True
        )
    )
    body = ",\n".join(rows)
    return f'{{"format": "{FORMAT}", "findings": [\n{body}\n]}}\n'
