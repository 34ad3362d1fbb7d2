"""Asking a remote model for a completion with log-probabilities, within a budget."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from nested_ray.config.remote import RemoteModel
from nested_ray.errors import TeacherFailed

logger = logging.getLogger(__name__)

FIRST_DELAY_S, LONGEST_DELAY_S = 1.0, 60.0
TOO_MANY_REQUESTS = 429
BYTES_PER_TOKEN = 3
"""Where a server does not count: fewer than code has, so that the budget is kept."""

UNUSABLE = (httpx.HTTPError, ValueError, TypeError, KeyError, IndexError, AttributeError)
"""No answer in time, no JSON, or JSON that is no completion."""

Wait = Callable[[float], bool]
"""Waits so many seconds; True when whoever asks should give up."""


@dataclass
class Costs:
    """What a remote level has cost and given so far; kept with the run."""

    requests: int = 0
    failures: int = 0
    """Requests that gave no usable answer."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    batches: int = 0
    """Shared batches spoken about."""
    tokens_taught: int = 0

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class RemoteToken:
    """One token of a completion, in the remote model's own cut."""

    text: str
    top: dict[str, float]
    """Log-probabilities of the likeliest strings here."""


class RemoteClient:
    """One server and its budget."""

    def __init__(self, config: RemoteModel, key: str | None, costs: Costs, wait: Wait) -> None:
        self.config, self.costs = config, costs
        self._wait = wait
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx.Client(timeout=config.timeout_s, headers=headers)

    def close(self) -> None:
        self._http.close()

    @property
    def exhausted(self) -> str:
        """Which budget is spent; empty while there is some left."""
        if self.costs.requests >= self.config.max_requests:
            return f"max_requests: {self.config.max_requests:,} is reached"
        if self.costs.tokens >= self.config.max_tokens:
            return f"max_tokens: {self.config.max_tokens:,} is reached"
        return ""

    def complete(self, prompt: str) -> list[RemoteToken] | None:
        """The completion; None when the server gave none after all retries or the budget ended.

        Raises TeacherFailed where asking again is of no use.
        """
        for attempt in range(self.config.max_retries + 1):
            if self.exhausted:
                return None
            answer, delay_s = self._ask(prompt, attempt)
            if answer is not None:
                return answer
            if attempt == self.config.max_retries or self._wait(delay_s):
                return None
        return None

    def _ask(self, prompt: str, attempt: int) -> tuple[list[RemoteToken] | None, float]:
        """An answer, or how long to wait before the next attempt."""
        delay_s = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**attempt) * random.uniform(0.5, 1.0)
        self.costs.requests += 1
        try:
            response = self._http.post(
                f"{self.config.base_url}/completions", json=self._request(prompt)
            )
            if response.status_code == TOO_MANY_REQUESTS or response.is_server_error:
                delay_s = _asked_delay(response) or delay_s
                raise ValueError(f"status {response.status_code}")
            if not response.is_success:
                raise TeacherFailed(_refusal(self.config, response.status_code))
            answer = response.json()
            self._count(prompt, answer)
            return _tokens(answer, self.config), 0.0
        except UNUSABLE as exc:
            # Never the body or the request: a server may repeat the key.
            self.costs.failures += 1
            reason = str(exc) if type(exc) is ValueError else type(exc).__name__
            logger.warning("%s gave no answer (%s)", self.config.model, reason)
            return None, delay_s

    def _request(self, prompt: str) -> dict[str, Any]:
        return {
            "model": self.config.model,
            "prompt": prompt,
            "max_tokens": self.config.completion_tokens,
            "temperature": 0,  # the likeliest path stays longest on the text that is trained on
            "logprobs": self.config.top_logprobs,
        }

    def _count(self, prompt: str, answer: dict[str, Any]) -> None:
        usage = answer.get("usage") or {}
        guess = len(prompt.encode()) // BYTES_PER_TOKEN + 1
        self.costs.prompt_tokens += int(usage.get("prompt_tokens", guess))
        self.costs.completion_tokens += int(
            usage.get("completion_tokens", self.config.completion_tokens)
        )


def _asked_delay(response: httpx.Response) -> float | None:
    """Seconds of `Retry-After`, at most a minute; a date is not read."""
    value = response.headers.get("retry-after", "")
    return min(float(value), LONGEST_DELAY_S) if value.isdigit() else None


def _refusal(config: RemoteModel, status: int) -> str:
    advice = {
        401: f"check the key in {config.api_key_env or 'a variable that api_key_env names'}",
        403: f"check the key in {config.api_key_env or 'a variable that api_key_env names'}",
        404: "check base_url and model",
    }.get(status, "check that it answers /completions with logprobs")
    return f"{config.model} at {config.base_url} refuses (status {status}); {advice}"


def _tokens(answer: dict[str, Any], config: RemoteModel) -> list[RemoteToken]:
    """Raises one of UNUSABLE for what is no completion at all."""
    choice = answer["choices"][0]
    found = choice.get("logprobs")
    if not found or not found.get("top_logprobs"):
        if not choice["text"]:
            return []  # the model ended at once
        raise TeacherFailed(
            f"{config.model} at {config.base_url} gives no log-probabilities; it can teach nothing. "
            "Take a server that answers `logprobs` in /completions"
        )
    return [
        RemoteToken(text, _checked(top or {}))
        for text, top in zip(found["tokens"], found["top_logprobs"], strict=True)
    ]


def _checked(top: dict[str, Any]) -> dict[str, float]:
    values = {str(text): float(logprob) for text, logprob in top.items()}
    if any(math.isnan(value) or value > 1e-3 for value in values.values()):
        raise ValueError("log-probabilities above 0")
    return values
