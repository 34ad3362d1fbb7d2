"""Judge: from a slot's options to the probability that the wrong one stands there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from nested_ray.bugs.ranker import Ranker
from nested_ray.bugs.rescoring import NUM_SIGNALS, Rescored
from nested_ray.bugs.slots import KINDS, SlotKind
from nested_ray.errors import InferenceError
from nested_ray.inference.bundle import read_json, require_file, write_json

FORMAT = 1
FOLDER = "bugs"
FACTS_FILE = "bugs.json"
WEIGHTS_FILE = "rankers.safetensors"

SIGNAL_SHARE = 0.3
"""Weight of the level's word beside the ranker's when the alternative is chosen."""
RATIO_LIMIT = 12.0
"""Log-likelihood ratios beyond this are all equally certain."""
NUM_VALUES = 2 + NUM_SIGNALS


@dataclass(frozen=True)
class KindJudge:
    """What decides about one kind of slot."""

    gate: float
    """Log-likelihood ratio of the ranker from which a slot is rescored."""
    weights: tuple[float, ...]
    """Of `comparison`, and an intercept."""
    slope: float
    """Calibration: confidence = sigmoid(slope * weighted sum + shift), at the stated bug rate."""
    shift: float


@dataclass(frozen=True)
class Calibrated:
    """What calibration was made for, and what it found on the half of the validation split kept for it."""

    bugs_per_1000_lines: float
    threshold: float
    """Findings with less confidence are not posted."""
    alarms_per_1000_lines: float
    recall: dict[str, float]
    """Share of injected bugs posted, by kind."""
    num_lines: int


@dataclass(frozen=True)
class Judge:
    """Learned with a level, stored in its folder of the nest directory."""

    rankers: Mapping[SlotKind, Ranker]
    kinds: Mapping[SlotKind, KindJudge]
    calibrated: Calibrated

    def confidence(self, kind: SlotKind, values: Sequence[float]) -> float:
        """Probability that the slot is wrong, given the comparison with its best alternative."""
        judge = self.kinds[kind]
        return sigmoid(judge.slope * weighted(judge.weights, values) + judge.shift)

    def save(self, level_dir: Path) -> None:
        """Write `bugs/` into a level's folder."""
        folder = level_dir / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            f"{kind}.{name}": tensor.contiguous()
            for kind, ranker in self.rankers.items()
            for name, tensor in ranker.state_dict().items()
        }
        save_file(tensors, folder / WEIGHTS_FILE)
        kinds = {kind: asdict(judge) for kind, judge in self.kinds.items()}
        facts = {"format": FORMAT, "kinds": kinds, "calibrated": asdict(self.calibrated)}
        write_json(folder / FACTS_FILE, facts)

    @classmethod
    def load(cls, level_dir: Path) -> Judge:
        """Raises InferenceError when the level has no judge or its files are damaged."""
        folder = level_dir / FOLDER
        facts = read_json(folder / FACTS_FILE)
        if facts.get("format") != FORMAT:
            raise InferenceError(
                f"{folder / FACTS_FILE} has format {facts.get('format')!r}, this version of "
                f"nested-ray reads format {FORMAT}; train the nest again"
            )
        try:
            kinds: dict[SlotKind, KindJudge] = {
                kind: kind_judge(facts["kinds"][kind]) for kind in KINDS if kind in facts["kinds"]
            }
            tensors = load_file(require_file(folder / WEIGHTS_FILE))
            rankers: dict[SlotKind, Ranker] = {kind: load_ranker(tensors, kind) for kind in kinds}
            return cls(rankers, kinds, Calibrated(**facts["calibrated"]))
        except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError) as exc:
            raise InferenceError(
                f"{folder} holds no bug detector that can be loaded: {exc}; fetch the version again"
            ) from exc


def kind_judge(values: dict[str, Any]) -> KindJudge:
    judge = KindJudge(**{**values, "weights": tuple(values["weights"])})
    if len(judge.weights) != NUM_VALUES + 1:
        raise ValueError(f"{len(judge.weights)} weights, expected {NUM_VALUES + 1}")
    return judge


def load_ranker(tensors: Mapping[str, Any], kind: str) -> Ranker:
    ranker = Ranker()
    prefix = f"{kind}."
    ranker.load_state_dict(
        {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    )
    return ranker.eval()


def ranker_ratio(log_probs_O: NDArray[np.floating], option: int) -> float:
    """Log-likelihood ratio of the best other option to this one, as the ranker sees it."""
    others = np.delete(log_probs_O, option)
    return float(others.max() - log_probs_O[option])


def likeliest_options(log_probs_O: NDArray[np.floating], option: int, count: int) -> list[int]:
    """The option and the `count` likeliest others."""
    order = [int(other) for other in np.argsort(-log_probs_O, kind="stable") if other != option]
    real = [other for other in order if log_probs_O[other] > -20]
    return [option, *real[:count]]


def choose_alternative(log_probs_O: NDArray[np.floating], rescored: Rescored, option: int) -> int:
    """The other option that ranker and level together find likeliest."""
    others = [other for other in rescored.options if other != option]
    return max(others, key=lambda other: log_probs_O[other] + SIGNAL_SHARE * rescored.of(other)[0])


def comparison(
    log_probs_O: NDArray[np.floating], rescored: Rescored, option: int, other: int
) -> list[float]:
    """What speaks for the other option against the one that stands there: NUM_VALUES numbers."""
    signals = (rescored.of(other) - rescored.of(option)).tolist()
    ratio = float(log_probs_O[other] - log_probs_O[option])
    limited = [max(-RATIO_LIMIT, min(RATIO_LIMIT, value)) for value in (ratio, *signals)]
    return [*limited, float(log_probs_O[other])]


def weighted(weights: Sequence[float], values: Sequence[float]) -> float:
    """Weighted sum with the intercept that ends the weights."""
    return weights[-1] + sum(w * v for w, v in zip(weights[:-1], values, strict=True))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
