"""Judge: from a slot's options to the probability that the wrong one stands there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from nested_ray.bugs.doubt import Doubt, KindModel
from nested_ray.bugs.ranker import Ranker
from nested_ray.bugs.rescoring import NUM_SIGNALS, Rescored
from nested_ray.bugs.slots import KINDS, SlotKind
from nested_ray.errors import InferenceError
from nested_ray.files import write_json
from nested_ray.inference.bundle import read_json, require_file

ModuleT = TypeVar("ModuleT", bound=nn.Module)

FORMAT = 2
FOLDER = "bugs"
FACTS_FILE = "bugs.json"
WEIGHTS_FILE = "models.safetensors"

SIGNAL_SHARE = 0.3
"""Weight of the level's word beside the ranker's when the alternative is chosen."""
RATIO_LIMIT = 12.0
"""Log-likelihood ratios beyond this are all equally certain."""


@dataclass(frozen=True)
class KindJudge:
    """What decides about one kind of slot beside its model."""

    gate: float
    """Doubt from which the level reads a slot."""
    signals: tuple[float, ...]
    """Weights of what level and memory say, in log-odds."""
    prior: float
    """Log-odds of a bug in any slot of the kind, at the stated bug rate."""

    def log_odds(self, doubt: float, signals: Sequence[float]) -> float:
        """Before calibration."""
        said = sum(w * v for w, v in zip(self.signals, signals, strict=True))
        return self.prior + doubt + said


@dataclass(frozen=True)
class Calibrated:
    """What calibration was made for, and what it found on the half of the validation split kept for it."""

    bugs_per_1000_lines: float
    slope: float
    shift: dict[str, float]
    """Confidence is sigmoid(slope * log-odds + shift), with a shift for each kind."""
    threshold: float
    """Findings with less confidence are not posted."""
    alarms_per_1000_lines: float
    recall: dict[str, float]
    """Share of injected bugs posted, by kind."""
    num_lines: int

    def confidence(self, kind: str, log_odds: float) -> float:
        return sigmoid(self.slope * log_odds + self.shift[kind])


@dataclass(frozen=True)
class Judge:
    """Learned with a level, stored in its folder of the nest directory."""

    models: Mapping[SlotKind, KindModel]
    kinds: Mapping[SlotKind, KindJudge]
    calibrated: Calibrated

    def confidence(self, kind: SlotKind, doubt: float, signals: Sequence[float]) -> float:
        """Probability that the slot is wrong after level and memory have spoken."""
        log_odds = self.kinds[kind].log_odds(doubt, signals)
        return self.calibrated.confidence(kind, log_odds)

    def save(self, level_dir: Path) -> None:
        """Write `bugs/` into a level's folder."""
        folder = level_dir / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {
            f"{kind}.{part}.{name}": tensor.contiguous()
            for kind, model in self.models.items()
            for part, module in (("ranker", model.ranker), ("doubt", model.doubt))
            for name, tensor in module.state_dict().items()
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
            models: dict[SlotKind, KindModel] = {kind: load_model(tensors, kind) for kind in kinds}
            return cls(models, kinds, Calibrated(**facts["calibrated"]))
        except (KeyError, TypeError, ValueError, RuntimeError, OSError, SafetensorError) as exc:
            raise InferenceError(
                f"{folder} holds no bug detector that can be loaded: {exc}; fetch the version again"
            ) from exc


def kind_judge(values: dict[str, Any]) -> KindJudge:
    judge = KindJudge(float(values["gate"]), tuple(values["signals"]), float(values["prior"]))
    if len(judge.signals) != NUM_SIGNALS:
        raise ValueError(f"{len(judge.signals)} weights of signals, expected {NUM_SIGNALS}")
    return judge


def load_model(tensors: Mapping[str, Tensor], kind: str) -> KindModel:
    return KindModel(
        load_module(Ranker(), tensors, f"{kind}.ranker."),
        load_module(Doubt(), tensors, f"{kind}.doubt."),
    )


def load_module(module: ModuleT, tensors: Mapping[str, Tensor], prefix: str) -> ModuleT:
    module.load_state_dict(
        {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}
    )
    return module.eval()


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


def signal_values(rescored: Rescored, option: int, other: int) -> list[float]:
    """What level and memory say for the other option: NUM_SIGNALS log-likelihood ratios."""
    return [limited(value) for value in (rescored.of(other) - rescored.of(option)).tolist()]


def limited(ratio: float) -> float:
    return max(-RATIO_LIMIT, min(RATIO_LIMIT, ratio))


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-max(-60.0, min(60.0, value))))
