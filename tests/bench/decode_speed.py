"""Time of a decoding step: our loop, transformers' forward, transformers' generate.

    python tests/bench/decode_speed.py [--preset mini] [--vocab 4096] [--prompt 256] [--tokens 100]

Prints processor time, which other work on the machine disturbs less than the clock.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from nested_ray.config.levels import ScratchModel
from nested_ray.inference.decoder import Decoder
from nested_ray.inference.llama_decoder import LlamaDecoder
from nested_ray.inference.transformers_decoder import TransformersDecoder
from nested_ray.models import build_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="mini")
    parser.add_argument("--vocab", type=int, default=4096)
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=100)
    args = parser.parse_args()
    torch.set_num_threads(1)
    model = build_model(
        ScratchModel(preset=args.preset), vocab_size=args.vocab, max_positions=1024, seed=0
    ).eval()
    prompt = torch.randint(8, args.vocab, (args.prompt,)).tolist()
    ways: dict[str, Callable[[], object]] = {
        "hand-written loop": lambda: decode(LlamaDecoder(model), prompt, args.tokens),
        "transformers forward": lambda: decode(TransformersDecoder(model), prompt, args.tokens),
        "transformers generate": lambda: generate(model, prompt, args.tokens),
    }
    for name, run in ways.items():
        run()
        started = time.process_time()
        run()
        step_ms = (time.process_time() - started) / args.tokens * 1000
        print(f"{name:24} {step_ms:6.2f} ms per token (prompt included)")


def decode(decoder: Decoder, prompt: list[int], num_tokens: int) -> list[int]:
    cache, logits_BV = decoder.prefill([prompt])
    written = []
    for _ in range(num_tokens):
        written.append(int(logits_BV[0].argmax()))
        logits_BV = decoder.extend(cache, torch.tensor([written[-1:]]))[:, 0]
    return written


def generate(model, prompt: list[int], num_tokens: int) -> None:
    ids = torch.tensor([prompt])
    mask = torch.ones_like(ids)
    model.generate(
        ids, attention_mask=mask, max_new_tokens=num_tokens, do_sample=False, pad_token_id=0,
        use_cache=True,
    )  # fmt: skip


if __name__ == "__main__":
    main()
