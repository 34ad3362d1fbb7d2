"""PlacementModel: which package or subsystem code belongs to, by its words and its links."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from nested_ray.analyzers.architecture.placement.evidence import (
    FEATURES,
    features,
    link_matrix,
    probabilities,
    rarity,
)
from nested_ray.analyzers.architecture.placement.words import WordSpace
from nested_ray.errors import ConfigError
from nested_ray.files import write_file, write_text

FORMAT = 2
ARRAYS_FILE, VOCABULARY_FILE = "placement.safetensors", "placement.json"


@dataclass(frozen=True)
class PlacementModel:
    """Learned from the layout of one repository."""

    places: tuple[str, ...]
    """Packages or subsystems with enough units to learn from."""
    words: WordSpace
    word_weights_VC: np.ndarray
    place_of: Mapping[str, int]
    """Unit → index of its place, -1 for the units of smaller places; in order of name."""
    fan_out_U: np.ndarray
    fan_in_U: np.ndarray
    unit_weights_F: np.ndarray
    """How words and links are weighed for units, see `evidence.FEATURES`."""
    function_weights_F: np.ndarray

    def rank(
        self,
        words: Mapping[str, int],
        uses: Mapping[str, int] | None = None,
        used_by: Mapping[str, int] | None = None,
        *,
        is_function: bool = False,
    ) -> list[tuple[str, float]]:
        """Places with their probabilities, the likeliest first.

        `words` are counts as `count_words` gives them, `uses` and `used_by` numbers of links by unit.
        """
        scores_1C = self.words.vectors([words]) @ self.word_weights_VC
        evidence = self.evidence(scores_1C, [uses or {}], [used_by or {}])
        weights_F = self.function_weights_F if is_function else self.unit_weights_F
        likelihoods = probabilities(evidence, weights_F)[0]
        order = np.argsort(-likelihoods, kind="stable")
        return [(self.places[index], float(likelihoods[index])) for index in order]

    def evidence(
        self,
        scores_NC: np.ndarray,
        uses: Sequence[Mapping[str, int]],
        used_by: Sequence[Mapping[str, int]],
        belief_UC: np.ndarray | None = None,
    ) -> np.ndarray:
        """(N, C, F) for items of any kind; `belief_UC` says otherwise where the units belong."""
        columns = {unit: index for index, unit in enumerate(self.place_of)}
        belief_UC = self.belief() if belief_UC is None else belief_UC
        users = rarity(self.fan_in_U, len(columns))
        used = rarity(self.fan_out_U, len(columns))
        return features(
            scores_NC,
            np.asarray(link_matrix(uses, columns, users) @ belief_UC),
            np.asarray(link_matrix(used_by, columns, used) @ belief_UC),
        )

    def belief(self) -> np.ndarray:
        """(U, C): one where a unit belongs; nothing for units of small places."""
        return one_hot(np.array(list(self.place_of.values()), dtype=np.int64), len(self.places))

    def save(self, folder: str | Path) -> None:
        """Write arrays as safetensors and words as JSON."""
        folder = Path(folder)
        arrays = {
            "idf_V": self.words.idf_V.astype(np.float32),
            "word_weights_VC": self.word_weights_VC.astype(np.float32),
            "place_of_U": np.array(list(self.place_of.values()), dtype=np.int32),
            "fan_out_U": self.fan_out_U.astype(np.int32),
            "fan_in_U": self.fan_in_U.astype(np.int32),
        }
        arrays["unit_weights_F"] = self.unit_weights_F.astype(np.float64)
        arrays["function_weights_F"] = self.function_weights_F.astype(np.float64)
        whole = {key: np.ascontiguousarray(value) for key, value in arrays.items()}
        write_file(folder / ARRAYS_FILE, lambda aside: save_file(whole, aside))
        values = {
            "format": FORMAT,
            "features": FEATURES,
            "places": self.places,
            "words": self.words.words,
            "units": list(self.place_of),
        }
        write_text(
            folder / VOCABULARY_FILE, json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        )

    @classmethod
    def load(cls, folder: str | Path) -> PlacementModel:
        """Read what `save` wrote; raises ConfigError naming the folder."""
        folder = Path(folder)
        try:
            values = json.loads((folder / VOCABULARY_FILE).read_text(encoding="utf-8"))
            arrays = load_file(folder / ARRAYS_FILE)
            if values["format"] != FORMAT:
                raise ValueError(f"format {values['format']!r}, this version reads {FORMAT}")
            return cls(
                places=tuple(values["places"]),
                words=WordSpace(values["words"], arrays["idf_V"]),
                word_weights_VC=arrays["word_weights_VC"],
                place_of=dict(zip(values["units"], arrays["place_of_U"].tolist(), strict=True)),
                fan_out_U=arrays["fan_out_U"],
                fan_in_U=arrays["fan_in_U"],
                unit_weights_F=arrays["unit_weights_F"],
                function_weights_F=arrays["function_weights_F"],
            )
        except OSError as exc:
            raise ConfigError(f"cannot read the placement model {folder}: {exc.strerror}") from exc
        except (ValueError, TypeError, KeyError, SafetensorError) as exc:
            raise ConfigError(
                f"{folder} is no placement model: {exc}; train the nest again"
            ) from exc


def one_hot(places_N: np.ndarray, num_places: int) -> np.ndarray:
    """(N, C): a row of zeros where the place is -1."""
    rows_NC = np.zeros((len(places_N), num_places))
    known = places_N >= 0
    rows_NC[np.flatnonzero(known), places_N[known]] = 1
    return rows_NC
