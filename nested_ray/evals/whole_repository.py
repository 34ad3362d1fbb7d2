"""Time and memory of a whole code base in a process of its own: read, indexed from nothing, described.

`python -m nested_ray.evals.whole_repository PATH` prints what `measure_whole` returns.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter

from nested_ray.analyzers.architecture.report import describe
from nested_ray.errors import NestedRayError
from nested_ray.repository.index import open_repository
from nested_ray.repository.scan import scan


@dataclass(frozen=True)
class WholeRepository:
    """Seconds by the clock, megabytes as the operating system counts them."""

    num_files: int
    num_bytes: int
    scan_s: float
    index_s: float
    """Outlines and links of every file, without a cache."""
    describe_s: float
    cpu_s: float
    """Of all processes together: what the clock cannot blame on others at work on the machine."""
    peak_mb: float
    """Of the main process."""
    worker_peak_mb: float
    """Of the largest process that helped with the index."""

    @property
    def total_s(self) -> float:
        return self.scan_s + self.index_s + self.describe_s


def measure_whole(root: Path) -> WholeRepository:
    """Run it in a new process; raises NestedRayError with the last line of what went wrong there."""
    command = [sys.executable, "-m", __name__, str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise NestedRayError(f"cannot measure {root}: {last}")
    return WholeRepository(**json.loads(done.stdout))


def run(root: Path) -> WholeRepository:
    """Do the work in this process."""
    started = perf_counter()
    found = scan(root)
    scanned = perf_counter()
    repository = open_repository(found.files, metadata=found.metadata)
    _ = repository.links  # made when first asked for
    indexed = perf_counter()
    describe(repository)
    ended = perf_counter()
    return WholeRepository(
        num_files=len(found.files),
        num_bytes=sum(len(file.text.encode("utf-8", "replace")) for file in found.files),
        scan_s=round(scanned - started, 2),
        index_s=round(indexed - scanned, 2),
        describe_s=round(ended - indexed, 2),
        cpu_s=round(sum(os.times()[:4]), 2),
        peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1),
        worker_peak_mb=round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3, 1),
    )


if __name__ == "__main__":
    print(json.dumps(asdict(run(Path(sys.argv[1])))))
