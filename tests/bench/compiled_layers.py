"""Whether compiled layers pay on this CPU: processor time of a training step, and of compiling.

    python tests/bench/compiled_layers.py [--preset nano] [--context 0] [--window 128] [--batch-size 16] [--steps 12]

One thread; each way in a process of its own, so that neither finds the other's kernels. Times include child processes
(the C++ compiler).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from contextlib import nullcontext
from statistics import median

import torch

from nested_ray.config.levels import ScheduleFreeLR, ScratchModel
from nested_ray.models import WindowModel, build_model
from nested_ray.models.layers import prepare_layers
from nested_ray.train.lr import build_optimizer
from nested_ray.train.step import StepInput, learn_batch, update

VOCAB_SIZE = 4096
NUM_FIRST = 3
"""Steps that may compile: batches differ in length, and the second length makes the kernels general."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--steps", type=int, default=12)
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    for compiled in (False, True):
        process = context.Process(target=measure, args=(args, compiled))
        process.start()
        process.join()


def measure(args: argparse.Namespace, compiled: bool) -> None:
    os.environ["TORCHINDUCTOR_COMPILE_THREADS"] = "1"
    torch.set_num_threads(1)
    decoder = build_model(
        ScratchModel(preset=args.preset), vocab_size=VOCAB_SIZE, max_positions=2048, seed=1
    )
    prepare_layers(decoder, compiled=compiled)
    model = WindowModel(decoder)
    optimizer = build_optimizer(ScheduleFreeLR(), model)

    def seconds_of_step(number: int) -> float:
        started = processor_seconds()
        learn_batch(
            model, batch(args, number), [], kd_factor=0, share=1, autocast=lambda: nullcontext()
        )
        update(model, optimizer, 1.0)
        return processor_seconds() - started

    first = sum(seconds_of_step(number) for number in range(NUM_FIRST))
    later = [seconds_of_step(NUM_FIRST + number) for number in range(args.steps)]
    print(
        f"{args.preset}, {args.context + 1 + args.window} tokens a row, "
        f"{'compiled' if compiled else 'plain'}: {1000 * median(later):.0f} ms a step "
        f"(least {1000 * min(later):.0f}), {first - NUM_FIRST * median(later):.0f} s to compile",
        flush=True,
    )


def processor_seconds() -> float:
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def batch(args: argparse.Namespace, number: int) -> StepInput:
    """Rows of random tokens, a few tokens longer or shorter each time."""
    generator = torch.Generator().manual_seed(number)
    length = args.context + 1 + args.window - number % 7
    ids_BL = torch.randint(8, VOCAB_SIZE, (args.batch_size, length), generator=generator)
    index_BW = torch.arange(args.context, length - 1).expand(args.batch_size, -1)
    valid_BW = torch.ones_like(index_BW, dtype=torch.bool)
    return StepInput(ids_BL, index_BW, valid_BW, ids_BL.gather(1, index_BW + 1)[valid_BW])


if __name__ == "__main__":
    main()
