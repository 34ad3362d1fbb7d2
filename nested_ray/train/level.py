"""LevelTrainer: one worker of one level, without Ray.

It owns model, optimiser, dataset and its place in the data, and makes one step at a time. Its `peers` hear
and tell; the loop around it decides when to report and to save.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from transformers import PreTrainedModel

from nested_ray.checkpoints import TrainingState, save_state
from nested_ray.datasets.loader import IGNORED, Batch, batch_digest, load_batch
from nested_ray.distill.exchange import Exchange
from nested_ray.distill.mailbox import Undelivered
from nested_ray.distill.recorded import key_of
from nested_ray.models import save_model
from nested_ray.models.layers import prepare_layers
from nested_ray.models.precision import autocast
from nested_ray.train.counters import Counters, RecentLosses
from nested_ray.train.job import LevelJob
from nested_ray.train.lr import averaged_weights, build_optimizer, restore_optimizer
from nested_ray.train.pairing import (
    Choice,
    PairingCursor,
    choose_batch,
    is_turn_to_open,
)
from nested_ray.train.parallel import (
    gathered,
    parallelise,
    shared_out,
    skeleton,
    unsynchronised,
    whole_decoder,
)
from nested_ray.train.peers import Peers
from nested_ray.train.step import BatchResult, StepInput, StepResult, learn_batch, update


class LevelTrainer:
    """Makes the steps of one rank of one level."""

    def __init__(
        self,
        job: LevelJob,
        *,
        decoder: PreTrainedModel,
        dataset: Dataset,
        exchange: Exchange | None,
        dtype: torch.dtype = torch.float32,
        rank: int = 0,
        world_size: int = 1,
        device: torch.device | None = None,
        undelivered: Callable[[], Undelivered] = Undelivered,
    ) -> None:
        """Workers of one level bring the same weights and are in one process group. `undelivered` says what the exchange could not deliver so far."""
        self.job, self.rank, self.world_size = job, rank, world_size
        self.decoder, self.dataset = decoder, dataset
        budget = job.level.budget
        self._skeleton = skeleton(decoder)
        prepare_layers(
            decoder,
            activation_checkpointing=budget.activation_checkpointing,
            compiled=budget.compile,
        )
        self.model = parallelise(
            decoder,
            sharding=budget.sharding,
            device=device,
            world_size=world_size,
            dtype=dtype,
        )
        self.optimizer = build_optimizer(job.level.lr, self.model)
        self.device = next(self.model.parameters()).device
        self.step = 0
        self.counters = Counters()
        self.recent = RecentLosses()
        self.cursor = PairingCursor()
        self.peers = Peers(
            job,
            exchange,
            self.counters,
            rank=rank,
            world_size=world_size,
            undelivered=undelivered,
        )
        self._dtype = dtype

    @property
    def done(self) -> bool:
        return self.step >= self.job.level.budget.max_steps

    def make_step(self) -> StepResult:
        """One update: learn `update_every` batches, then move the weights."""
        started = time.perf_counter()
        every = self.job.level.budget.update_every
        batches = []
        for position in range(every):
            # Workers of a level exchange gradients once per update, with its last batch.
            with nullcontext() if position == every - 1 else unsynchronised(self.model):
                batches.append(self._learn(self.step * every + position, share=1 / every))
        grad_norm = update(self.model, self.optimizer, self.job.level.budget.max_grad_norm)
        result = StepResult.of(batches, grad_norm)
        self.recent.add(result)
        self.peers.count()
        self.counters.train_seconds += time.perf_counter() - started
        self.step += 1
        return result

    def _learn(self, batch_number: int, share: float) -> BatchResult:
        """Choose a batch, learn from it and from the peers' targets, tell the peers about it."""
        self.peers.read()
        choice = self._choose(batch_number)
        batch = self._load(choice)
        digest = batch_digest(batch) if choice.paired else ""
        prepared = self._prepare(batch)
        teachers = self.peers.teachers(choice.records, digest, prepared)
        result, logits_NV = learn_batch(
            self.model,
            prepared,
            teachers,
            kd_factor=self.peers.schedule.factor(self.step),
            share=share,
            autocast=self._autocast,
        )
        if choice.paired:
            self.peers.tell(choice.batch_id, digest, prepared, logits_NV, step=self.step)
        self.counters.tokens_seen += result.num_tokens
        self.counters.targets_used += result.num_heard
        return result

    def save(self, directory: Path) -> None:
        """Write this rank's share of a checkpoint, with the averaged weights."""
        keep = self.rank == 0
        with averaged_weights(self.optimizer):
            optimizer = gathered(self.optimizer.state_dict(), keep=keep)
            decoder = whole_decoder(self.decoder, self._skeleton, keep=keep)
            state = TrainingState(
                optimizer=optimizer if keep else {},
                cursor=self._cursor_json(),
                rng=torch.get_rng_state(),
            )
            save_state(
                directory,
                state,
                rank=self.rank,
                save_model=lambda folder: save_model(decoder, folder),
            )

    def restore(self, state: TrainingState) -> None:
        """Go on from a checkpoint; the decoder was built with that checkpoint's weights.

        A worker that the run did not have before is given rank 0's state and counts from zero.
        """
        restore_optimizer(self.optimizer, shared_out(self.optimizer, state.optimizer))
        torch.set_rng_state(state.rng)
        self.step = int(state.cursor["step"])
        if state.cursor["rank"] == self.rank:
            self.counters = Counters(**state.cursor["counters"])
        self.recent = RecentLosses(**state.cursor["recent"])
        self.cursor = PairingCursor.from_json(state.cursor["pairing"])
        self.peers.restore(self.counters, state.cursor.get("newest_step", {}))

    def _cursor_json(self) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "world_size": self.world_size,
            "step": self.step,
            # A resumed level computes as before: which format is the faster one is measured, and may come out otherwise.
            "dtype": str(self._dtype).removeprefix("torch."),
            "device": self.device.type,
            "pairing": self.cursor.to_json(),
            "counters": asdict(self.counters),
            "recent": asdict(self.recent),
            "newest_step": self.peers.pool.newest_step,
            # Names only: a live exchange delivers records again, a recording finds them by name.
            "in_hand": [key_of(header) for header in self.peers.pool.headers],
        }

    def _choose(self, batch_number: int) -> Choice:
        name, share = self.job.level.name, self.job.distill.paired_share
        openers = self.job.openers
        opens = name in openers and is_turn_to_open(
            batch_number, share, openers.index(name), len(openers)
        )
        return choose_batch(
            batch_number,
            level=name,
            rank=self.rank,
            paired_share=share,
            takes=self.peers.exchanges(self.step) and not opens,
            cursor=self.cursor,
            pool=self.peers.pool,
        )

    def _load(self, choice: Choice) -> Batch:
        private_size = self.job.level.budget.micro_batch_size
        return load_batch(
            self.dataset,
            seed=self.job.seed,
            batch_id=choice.batch_id,
            batch_size=self.job.paired_batch_size if choice.paired else private_size,
            pad_id=self.job.pad_id,
            replay=self.job.replay,
        )

    def _prepare(self, batch: Batch) -> StepInput:
        valid_BW = batch.target_ids != IGNORED
        return StepInput(
            input_ids_BL=batch.input_ids.to(self.device),
            target_index_BW=batch.target_index.to(self.device),
            valid_BW=valid_BW.to(self.device),
            gold_ids_N=batch.target_ids[valid_BW].to(self.device),
        )

    def _autocast(self) -> AbstractContextManager[object]:
        return autocast(self._dtype, self.device)
