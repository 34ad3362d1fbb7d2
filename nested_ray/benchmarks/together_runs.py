"""The runs behind a comparison of together and alone, kept in a file as they are done."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from nested_ray.benchmarks.measured import Batches, FrozenTrainer, MeasuredTrainer
from nested_ray.benchmarks.setting import CPU, Setting, start_decoder
from nested_ray.benchmarks.together import Curve, HeldOut, train_alone, train_together
from nested_ray.benchmarks.together_table import Pair
from nested_ray.distill.mailbox import InMemoryExchange
from nested_ray.models.precision import choose_dtype
from nested_ray.train.job import LevelJob

OnRun = Callable[[str, int, int], None]
"""Called with what is trained, steps done and steps in all."""


Variant = Literal["together", "window", "bad", "muted"]
"""All levels as configured; the last level sees what the first one sees; one peer has random weights and never
learns, and is heard or not."""


class Runs:
    """Makes each run once; with a file, also across processes.

    Beside a frozen level all seeds train on the same data, so that it need not speak about any batch
    twice; they differ in the random weights that the others start from.
    """

    def __init__(
        self,
        setting: Setting,
        *,
        out: Path | None,
        heldout_rows: int,
        num_points: int,
        bad_peer: str | None = None,
        frozen: str | None = None,
        on_run: OnRun = lambda name, done, total: None,
    ) -> None:
        self.setting, self._out, self._on_run = setting, out, on_run
        self._num_points = num_points
        self.bad_peer, self._frozen = bad_peer, frozen
        self._heldout = {
            name: HeldOut(
                setting.datasets.level(name, "validation"), heldout_rows, setting.tokenizer.pad
            )
            for name in setting.levels
        }
        self._dtypes = {
            name: choose_dtype(
                job.level.budget.precision, CPU, start_decoder(job).config.hidden_size
            )
            for name, job in setting.jobs(0).items()
        }
        self._told: dict[str, bytes] = {}
        self._done = self._read()

    @property
    def heldout_tokens(self) -> int:
        return next(iter(self._heldout.values())).num_tokens

    @property
    def precisions(self) -> dict[str, str]:
        """By level, the format of matrix products."""
        return {name: str(dtype).removeprefix("torch.") for name, dtype in self._dtypes.items()}

    def pairs(self, seed: int) -> dict[str, Pair]:
        """Every learning level together and alone."""
        together = self.together(seed, "together")
        return {
            name: Pair(seed, curve, self.alone(seed, curve)) for name, curve in together.items()
        }

    def window_pairs(self, seed: int) -> dict[str, Pair]:
        """The other levels beside a last one that sees only the window, and beside the real one."""
        return self._pairs(seed, "window", "together", but=self.setting.levels[-1])

    def bad_pairs(self, seed: int) -> dict[str, Pair]:
        """The other levels beside a random peer that is heard, and one that is not: same batches."""
        return self._pairs(seed, "bad", "muted", but=self.bad_peer)

    def _pairs(
        self, seed: int, changed: Variant, plain: Variant, *, but: str | None
    ) -> dict[str, Pair]:
        first, second = self.together(seed, changed), self.together(seed, plain)
        return {name: Pair(seed, first[name], second[name]) for name in first if name != but}

    def together(self, seed: int, variant: Variant) -> dict[str, Curve]:
        """All levels of one seed side by side."""

        def make() -> dict[str, Curve]:
            exchange = InMemoryExchange(keep=self.setting.config.distill.keep_records)
            trainers = [
                self._trainer(job, seed, variant, exchange=exchange)
                for job in self._jobs(seed).values()
            ]
            return train_together(
                trainers,
                self._heldout_of(variant),
                num_points=self._num_points,
                on_step=lambda done, total: self._on_run(f"{variant}, seed {seed}", done, total),
            )

        return self._once(f"{variant}/{self.bad_peer or ''}/{seed}", make)

    def alone(self, seed: int, together: Curve) -> Curve:
        """The twin of a level: its batches, and as many steps more as its exchange took time for."""
        name = together.level

        def make() -> dict[str, Curve]:
            job = self._jobs(seed)[name]
            trainer = self._trainer(job, seed, "together", repeat=together.batches)
            more_steps = round(together.exchange_share * job.level.budget.max_steps)
            curve = train_alone(
                trainer,
                self._heldout[name],
                more_steps=more_steps,
                num_points=self._num_points,
                on_step=lambda done, total: self._on_run(f"{name} alone, seed {seed}", done, total),
            )
            return {name: curve}

        return self._once(f"alone/{name}/{seed}", make)[name]

    def _jobs(self, seed: int) -> dict[str, LevelJob]:
        return self.setting.jobs(0 if self._frozen else seed)

    def _trainer(
        self,
        job: LevelJob,
        seed: int,
        variant: Variant,
        *,
        exchange: InMemoryExchange | None = None,
        repeat: Batches | None = None,
    ) -> MeasuredTrainer:
        name = job.level.name
        bad = variant in ("bad", "muted") and name == self.bad_peer
        kind = FrozenTrainer if bad or name == self._frozen else MeasuredTrainer
        trainer = kind(
            job,
            decoder=start_decoder(job, seed=seed, random=bad),
            dataset=self.setting.datasets.level(self._rows_of(name, variant), "train"),
            exchange=exchange,
            dtype=self._dtypes[name],
            repeat=repeat,
            deaf_to=self.bad_peer if variant == "muted" else None,
        )
        if isinstance(trainer, FrozenTrainer) and variant == "together":
            trainer.told = self._told
        return trainer

    def _rows_of(self, name: str, variant: Variant) -> str:
        levels = self.setting.levels
        return levels[0] if variant == "window" and name == levels[-1] else name

    def _heldout_of(self, variant: Variant) -> dict[str, HeldOut]:
        return {name: self._heldout[self._rows_of(name, variant)] for name in self._heldout}

    def _digest(self) -> str:
        """Of what decides a run's numbers beside its name."""
        facts = [
            self.setting.config.model_dump_json(exclude={"seed"}),
            self.setting.datasets.root.name,
            self.precisions,
            self.heldout_tokens,
            self._num_points,
            self._frozen,
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

    def _read(self) -> dict[str, dict[str, Curve]]:
        if self._out is None or not self._out.exists():
            return {}
        digest, done = self._digest(), {}
        for line in self._out.read_text(encoding="utf-8").splitlines():
            try:
                row = json.loads(line)
            except ValueError:  # the process ended while it wrote
                continue
            if row["settings"] == digest:
                done[row["run"]] = {name: curve_of(row["curves"][name]) for name in row["curves"]}
        return done

    def _once(self, name: str, make: Callable[[], dict[str, Curve]]) -> dict[str, Curve]:
        if name in self._done:
            return self._done[name]
        curves = self._done[name] = make()
        if self._out is not None:
            row = {
                "settings": self._digest(),
                "run": name,
                "curves": {level: asdict(curve) for level, curve in curves.items()},
            }
            with self._out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        return curves


def curve_of(values: dict[str, Any]) -> Curve:
    """A curve from its JSON."""
    lists = {key: tuple(value) for key, value in values.items() if isinstance(value, list)}
    batches = {key: tuple(value) for key, value in values["batches"].items()}
    return Curve(**{**values, **lists, "batches": Batches(**batches)})
