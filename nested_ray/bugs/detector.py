"""BugDetector: suspicions of a level's model, posted above a calibrated confidence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nested_ray.analyzers.findings import Finding, Rule
from nested_ray.bugs.callees import callee_parameters
from nested_ray.bugs.candidates import find_slots
from nested_ray.bugs.features import slot_features
from nested_ray.bugs.judge import (
    SIGNAL_SHARE,
    Judge,
    choose_alternative,
    likeliest_options,
    ranker_ratio,
    signal_values,
)
from nested_ray.bugs.neighbours import Parameters
from nested_ray.bugs.reading import CodeReading, read_code
from nested_ray.bugs.rescoring import MAX_ALTERNATIVES, rescore
from nested_ray.bugs.rules import RULES, make_finding
from nested_ray.bugs.slots import KINDS, Slot
from nested_ray.inference.bundle import level_folder
from nested_ray.inference.loading import load_engine
from nested_ray.inference.torch_engine import TorchEngine
from nested_ray.languages import LANGUAGES
from nested_ray.repository.base import Repository

MAX_RESCORED = 200
"""Slots of one file that the level reads, the most suspicious first: a huge file stays bounded."""
MAX_CHARS = 2_000_000
"""Longer files are data."""

_LANGUAGES = {language.name: language for language in LANGUAGES}


@dataclass(frozen=True)
class Suspicion:
    """One slot as it was judged."""

    slot: Slot
    option: int
    """The likeliest other option."""
    confidence: float
    """Calibrated probability that the slot is wrong; 0 where the level did not read it."""
    suspicion: float
    """Log-odds that it is wrong, before the level has read it."""
    log_ratio: float
    """How much likelier the other option is, natural logarithm: ranker and level together."""
    counts: tuple[int, int] | None = None
    """How often the corpus has what stands there and the other between the same words."""


class BugDetector:
    """One level's judgement of names, operators, literals and argument orders."""

    level = "semantics"
    rules: tuple[Rule, ...] = tuple(RULES.values())

    def __init__(self, engine: TorchEngine, judge: Judge) -> None:
        """An engine that has nothing else to do meanwhile: it makes one call at a time."""
        self._engine = engine
        self._judge = judge

    @classmethod
    def load(cls, nest_dir: str | Path, level_name: str) -> BugDetector:
        """From a nest directory; raises InferenceError where the level has learned no detector."""
        engine = load_engine(nest_dir, level_name)
        return cls.of_engine(engine, nest_dir, level_name)

    @classmethod
    def of_engine(cls, engine: TorchEngine, nest_dir: str | Path, level_name: str) -> BugDetector:
        """The same around an engine that is loaded already, as a serving replica has one."""
        return cls(engine, Judge.load(level_folder(Path(nest_dir), level_name)))

    @property
    def threshold(self) -> float:
        """The confidence from which findings are posted."""
        return self._judge.calibrated.threshold

    def suspect(self, repository: Repository, paths: Collection[str]) -> Iterator[Finding]:
        """Findings in the files named, in the light of the whole repository; by path and place."""
        for path in sorted(paths):
            file = repository.files.get(path)
            if file is None or file.language not in _LANGUAGES or len(file.text) > MAX_CHARS:
                continue
            code = read_code(file.text, _LANGUAGES[file.language])
            parameters = callee_parameters(repository, path, code)
            for found in self.judge(path, code, find_slots(code), parameters):
                if found.confidence >= self.threshold:
                    yield finding_of(path, code, found)

    def judge(
        self,
        path: str,
        code: CodeReading,
        slots: Sequence[Slot],
        parameters: Parameters | None = None,
    ) -> list[Suspicion]:
        """Every slot of a kind that was learned, by place; the level reads those over the gates."""
        ranked = list(self._rank(code, slots, parameters or {}))
        kinds = self._judge.kinds
        over = [item for item in ranked if item.doubt >= kinds[item.slot.kind].gate]
        over.sort(key=lambda item: -item.suspicion)
        read = {id(item) for item in over[:MAX_RESCORED]}
        judged = [
            self._read(path, code, item) if id(item) in read else item.unread for item in ranked
        ]
        return sorted(judged, key=lambda found: found.slot.span.start)

    def _rank(
        self, code: CodeReading, slots: Sequence[Slot], parameters: Parameters
    ) -> Iterator[Ranked]:
        for kind in KINDS:
            own = [slot for slot in slots if slot.kind == kind]
            if kind not in self._judge.kinds or not own:
                continue
            model, prior = self._judge.models[kind], self._judge.kinds[kind].prior
            features = slot_features(code, own, parameters)
            log_probs_SO = model.ranker.score(features)
            doubts_S = model.doubts(features, log_probs_SO).tolist()
            for slot, log_probs_O, doubt in zip(own, log_probs_SO, doubts_S, strict=True):
                yield Ranked(slot, log_probs_O, doubt, prior)

    def _read(self, path: str, code: CodeReading, ranked: Ranked) -> Suspicion:
        """Ask level and memory about a slot."""
        slot, log_probs_O = ranked.slot, ranked.log_probs_O
        options = likeliest_options(log_probs_O, 0, MAX_ALTERNATIVES)
        rescored = rescore(self._engine, path, code, slot, options)
        if rescored is None:
            return ranked.unread
        other = choose_alternative(log_probs_O, rescored, 0)
        signals = signal_values(rescored, 0, other)
        return Suspicion(
            slot=slot,
            option=other,
            suspicion=ranked.suspicion,
            confidence=self._judge.confidence(slot.kind, ranked.doubt, signals),
            log_ratio=float(log_probs_O[other] - log_probs_O[0]) + SIGNAL_SHARE * signals[0],
            counts=(rescored.count(0), rescored.count(other)),
        )


@dataclass(frozen=True)
class Ranked:
    """A slot after the ranker."""

    slot: Slot
    log_probs_O: NDArray[np.float32]
    doubt: float
    """Log-odds that it is wrong, as if half of the slots were."""
    prior: float

    @property
    def suspicion(self) -> float:
        """Log-odds that it is wrong, before the level has read it."""
        return self.prior + self.doubt

    @property
    def unread(self) -> Suspicion:
        """What is said of it without the level."""
        option = likeliest_options(self.log_probs_O, 0, 1)[-1]
        ratio = ranker_ratio(self.log_probs_O, 0)
        return Suspicion(self.slot, option, 0.0, self.suspicion, ratio)


def finding_of(path: str, code: CodeReading, found: Suspicion) -> Finding:
    return make_finding(
        path,
        found.slot,
        found.option,
        confidence=found.confidence,
        log_ratio=found.log_ratio,
        counts=found.counts,
        symbol=code.qualified_name(found.slot.position),
    )
