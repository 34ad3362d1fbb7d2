"""Training runs as jobs of the cluster, through Ray's job API."""

from __future__ import annotations

import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol

from nested_ray.errors import LevelUnavailable

logger = logging.getLogger(__name__)

JobState = Literal["PENDING", "RUNNING", "STOPPED", "SUCCEEDED", "FAILED"]
STOP_WAIT_S = 20
"""A job that is stopped may take so long to end by itself."""


class Jobs(Protocol):
    """Runs `nested-ray train` somewhere else."""

    def submit(self, job_id: str, config: Path) -> None: ...

    def state(self, job_id: str) -> JobState | None:
        """None for a job that is not known, such as after a restart of the cluster."""
        ...

    def log(self, job_id: str) -> str: ...

    def stop(self, job_id: str) -> None: ...


class RayJobs:
    """Jobs of the cluster that this process belongs to; each call raises LevelUnavailable when it does not answer."""

    def __init__(self, home: Path, working_dir: Path) -> None:
        """`home` is NESTED_RAY_HOME of the jobs, `working_dir` the folder that they start in."""
        self._home = home
        self._working_dir = working_dir

    def submit(self, job_id: str, config: Path) -> None:
        if self.state(job_id) is not None:
            return  # whoever asked did not live to note it
        variables = {
            "NESTED_RAY_HOME": str(self._home),
            "RAY_ADDRESS": self._address,  # for the run's workers
            "RAY_JOB_STOP_WAIT_TIME_S": str(STOP_WAIT_S),
        }
        with answering():
            self._client.submit_job(
                entrypoint=entrypoint(self._working_dir, config, self._address),
                submission_id=job_id,
                runtime_env={"env_vars": variables},
            )

    def state(self, job_id: str) -> JobState | None:
        with answering():
            try:
                return self._client.get_job_info(job_id).status.value
            except RuntimeError as exc:
                if "status code 404" in str(exc):
                    return None
                raise

    def log(self, job_id: str) -> str:
        with answering():
            return self._client.get_job_logs(job_id)

    def stop(self, job_id: str) -> None:
        with answering():
            self._client.stop_job(job_id)

    @cached_property
    def _client(self) -> Any:
        from ray.job_submission import JobSubmissionClient

        return JobSubmissionClient(self._address)

    @cached_property
    def _address(self) -> str:
        import ray

        return ray.get_runtime_context().gcs_address


def entrypoint(working_dir: Path, config: Path, address: str) -> str:
    """The shell command of a job, by this installation's own `nested-ray`.

    It names its cluster: with two on a machine, Ray's job supervisor may hand its child the other one's address.
    """
    command = Path(sys.executable).with_name("nested-ray")
    train = ["env", f"RAY_ADDRESS={address}", str(command), "train", str(config)]
    return f"cd {shlex.quote(str(working_dir))} && exec {shlex.join(train)}"


@contextmanager
def answering() -> Iterator[None]:
    """What the dashboard's HTTP client raises, as LevelUnavailable."""
    try:
        yield
    except (RuntimeError, OSError) as exc:  # requests' own errors are OSErrors
        logger.warning("Ray's job API: %s", exc)
        raise LevelUnavailable(
            "training: Ray's job API does not answer; is the cluster's dashboard running?"
        ) from exc
