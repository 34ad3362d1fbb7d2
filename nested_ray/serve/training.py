"""Training over HTTP: sessions that are queued, trained as Ray jobs, watched, cancelled and resumed."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from nested_ray.api.training import SessionState, TrainingList, TrainingSession, TrainRequest
from nested_ray.config.serve import TrainingServeConfig
from nested_ray.config.train import TrainConfig
from nested_ray.errors import (
    InvalidRequest,
    LevelUnavailable,
    RateLimited,
    SessionNotFound,
)
from nested_ray.serve.ray_jobs import Jobs, JobState
from nested_ray.serve.training_config import session_config
from nested_ray.serve.training_progress import (
    furthest_to_go,
    has_trained,
    measured_paces,
    overall,
    read_levels,
    registered_version,
    run_folder,
    time_left,
    weighted_metrics,
)
from nested_ray.serve.training_records import LevelPlan, SessionFolder, SessionRecord

logger = logging.getLogger(__name__)

HOUR_S = 3600.0
LOG_LINES = 20
MAX_LISTED = 100
ERROR_MARK = "error: "
"""What the command prints before the sentence that ended it."""


class TrainingDesk:
    """Starts sessions and knows how they are; neither HTTP nor Ray, and one call at a time."""

    def __init__(
        self,
        settings: TrainingServeConfig,
        home: Path,
        jobs: Jobs,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._home = home
        self._jobs = jobs
        self._clock = clock
        self._folder = SessionFolder(home)
        self._records: dict[str, SessionRecord] = {}
        self._discover()

    def start(self, request: TrainRequest) -> TrainingSession:
        """A new session. Raises InvalidRequest, or RateLimited when there are too many."""
        session = f"train-{uuid.uuid4().hex}"
        corpus = self._folder.corpus_path(session)
        config = session_config(request, self._settings, session=session, corpus=corpus)
        self._check_rate()
        self._check_queue()
        record = SessionRecord(
            session, request.train_config, config.nest, plans_of(config), self._clock()
        )
        self._folder.create(record, config, request.dataset)
        self._records[session] = record
        self.advance()
        return self._describe(self._record(session))

    def get(self, session: str) -> TrainingSession:
        """Raises SessionNotFound."""
        self._refresh(self._record(session))
        record = self._record(session)
        return self._describe(record).model_copy(update={"log": list(self._log(record))})

    def sessions(self) -> TrainingList:
        """The newest ones."""
        self.advance()
        newest = sorted(self._records.values(), key=lambda each: each.created_at, reverse=True)
        return TrainingList(sessions=[self._describe(each) for each in newest[:MAX_LISTED]])

    def cancel(self, session: str) -> TrainingSession:
        """Stop it; what it has learned is kept. Raises InvalidRequest when it has ended already."""
        self._refresh(self._record(session))
        record = self._record(session)
        if record.phase == "queued":
            self._save(replace(record, phase="cancelled", ended_at=self._clock()))
        elif record.phase == "submitted":
            self._jobs.stop(record.job_id)
            self._save(replace(record, is_cancelling=True))
        else:
            raise InvalidRequest(
                f"session: {session} is {record.phase}; there is nothing to cancel"
            )
        return self._describe(self._record(session))

    def resume(self, session: str) -> TrainingSession:
        """Go on where a cancelled or failed session stood. Raises InvalidRequest for any other."""
        self._refresh(self._record(session))
        record = self._record(session)
        if record.phase not in ("failed", "cancelled"):
            raise InvalidRequest(f"session: {session} {why_not_resumed(record)}")
        self._check_queue()
        self._save(replace(record, phase="queued", is_cancelling=False, error=None, ended_at=None))
        self.advance()
        return self._describe(self._record(session))

    def advance(self) -> None:
        """Look at the jobs, and submit what is queued where there is room."""
        self._discover()
        for record in self._in_phase("submitted"):
            self._refresh(record)
        room = self._settings.max_concurrent - len(self._in_phase("submitted"))
        for record in self._in_phase("queued")[: max(0, room)]:
            self._submit(record)

    def _submit(self, record: SessionRecord) -> None:
        """Noted before it is asked for: a crash in between leaves a job that is not known, which is asked for again."""
        now = self._clock()
        asked = replace(record, phase="submitted", attempt=record.attempt + 1, started_at=now)
        self._save(asked)
        try:
            self._jobs.submit(asked.job_id, self._folder.config_path(record.id))
        except LevelUnavailable:
            self._save(record)
            logger.exception("training session stays queued", extra={"session": record.id})

    def _refresh(self, record: SessionRecord) -> None:
        """Take over what has become of its job."""
        if record.phase != "submitted":
            return
        job = self._jobs.state(record.job_id)
        if job in ("PENDING", "RUNNING"):
            return
        run_dir = run_folder(self._home, record.id)
        version = registered_version(run_dir)
        if job is None and version is None and not record.is_cancelling:
            # The cluster was restarted and its jobs with it; the run goes on where it stood.
            self._save(replace(record, phase="queued", started_at=None))
            return
        log = "" if job is None else self._jobs.log(record.job_id)
        ended = replace(
            record,
            is_cancelling=False,
            ended_at=self._clock(),
            version=version,
            log=last_lines(log),
            seconds_per_step=measured_paces(run_dir, record.started_at),
        )
        self._save(concluded(ended, job, log))

    def _describe(self, record: SessionRecord) -> TrainingSession:
        run_dir = run_folder(self._home, record.id)
        levels = read_levels(run_dir, record.levels, record.started_at)
        is_under_way = record.phase in ("queued", "submitted")
        return TrainingSession(
            id=record.id,
            status=self._status(record, run_dir),
            train_config=record.train_config,
            model=record.nest,
            version=None if record.version is None else f"{record.nest}@{record.version}",
            progress=overall(levels),
            current_level=furthest_to_go(levels) if is_under_way else None,
            levels=levels,
            metrics=weighted_metrics(levels, record.levels),
            estimated_s=time_left(levels, self._known_paces(record)) if is_under_way else None,
            attempts=record.attempt,
            created_at=moment(record.created_at),
            started_at=None if record.started_at is None else moment(record.started_at),
            ended_at=None if record.ended_at is None else moment(record.ended_at),
            error=record.error,
        )

    def _status(self, record: SessionRecord, run_dir: Path) -> SessionState:
        if record.phase != "submitted":
            return record.phase
        if record.is_cancelling:
            return "cancelling"
        return "evaluating" if has_trained(run_dir) else "training"

    def _known_paces(self, record: SessionRecord) -> dict[str, float]:
        """Seconds a step, as the newest sessions with the same config have measured them."""
        paces: dict[str, float] = {}
        for other in sorted(self._records.values(), key=lambda each: each.created_at):
            if other.train_config == record.train_config:
                paces |= other.seconds_per_step or {}
        return paces

    def _log(self, record: SessionRecord) -> tuple[str, ...]:
        if record.phase != "submitted":
            return record.log
        return last_lines(self._jobs.log(record.job_id))

    def _check_rate(self) -> None:
        now, most = self._clock(), self._settings.sessions_per_hour
        recent = sorted(
            each.created_at for each in self._records.values() if each.created_at > now - HOUR_S
        )
        if len(recent) >= most:
            wait_s = 1 + int(recent[-most] + HOUR_S - now)
            raise refused(
                f"{len(recent)} training sessions were started in the last hour, at most {most} "
                f"are allowed; try again in {wait_s} s",
                wait_s,
            )

    def _check_queue(self) -> None:
        queued, running = self._in_phase("queued"), self._in_phase("submitted")
        has_room = len(running) + len(queued) < self._settings.max_concurrent
        if not has_room and len(queued) >= self._settings.max_queued:
            raise refused(
                f"{len(running)} training sessions are under way and {len(queued)} queued, which is "
                "all that is allowed; wait for one to end, or cancel one",
                60,
            )

    def _record(self, session: str) -> SessionRecord:
        if session not in self._records:
            self._discover()
        if session not in self._records:
            raise SessionNotFound(
                f"there is no training session {session!r}; GET the list of them, without an id"
            )
        return self._records[session]

    def _in_phase(self, phase: str) -> list[SessionRecord]:
        """Oldest first."""
        found = [each for each in self._records.values() if each.phase == phase]
        return sorted(found, key=lambda each: each.created_at)

    def _save(self, record: SessionRecord) -> None:
        self._folder.save(record)
        self._records[record.id] = record

    def _discover(self) -> None:
        """Sessions that an earlier replica has started."""
        for record in self._folder.load(set(self._records)):
            self._records[record.id] = record


def plans_of(config: TrainConfig) -> tuple[LevelPlan, ...]:
    return tuple(
        LevelPlan(level.name, level.kind, level.weight, level.budget.max_steps)
        for level in config.levels
    )


def concluded(record: SessionRecord, job: JobState | None, log: str) -> SessionRecord:
    """How it ended; a registered version outweighs what happened to the job after that."""
    if record.version is not None:
        return replace(record, phase="finished")
    if job in (None, "STOPPED"):
        return replace(record, phase="cancelled")
    return replace(record, phase="failed", error=last_error(log))


def why_not_resumed(record: SessionRecord) -> str:
    if record.phase == "finished":
        return "is finished; start a new one to train further"
    if record.is_cancelling:
        return "is still being cancelled; try again when its status is `cancelled`"
    return "is under way; only a failed or cancelled session can be resumed"


def last_lines(log: str) -> tuple[str, ...]:
    return tuple(line.rstrip() for line in log.splitlines() if line.strip())[-LOG_LINES:]


def last_error(log: str) -> str:
    """The sentence that ended the command; without one, the last line that it printed."""
    _, mark, sentence = log.rpartition(f"\n{ERROR_MARK}")
    if not mark:
        lines = last_lines(log)
        sentence = lines[-1].removeprefix(ERROR_MARK) if lines else "the job ended without a word"
    return " ".join(sentence.split())


def refused(message: str, wait_s: int) -> RateLimited:
    error = RateLimited(message)
    error.retry_after_s = wait_s
    return error


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
