"""Three completions of held-out lines, asked of the running endpoint like any client would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
from rich.console import Console
from rich.markup import escape

from nested_ray.datasets.lines import is_code
from nested_ray.errors import InferenceError

if TYPE_CHECKING:
    from nested_ray.datasets.lines import LineTask
    from nested_ray.serve.local import Endpoint

NUM_ASKED = 24
NUM_SHOWN = 3
LINES_ABOVE = 4


@dataclass(frozen=True)
class Shown:
    """One held-out line and what the endpoint made of it."""

    task: LineTask
    text: str
    level: str
    confidence: float


def show_completions(endpoint: Endpoint, lines: Sequence[LineTask], console: Console) -> None:
    """Ask for some held-out lines and show the three answers that the nest is surest of."""
    try:
        answers = [complete_line(endpoint, task) for task in lines[:NUM_ASKED]]
    except (InferenceError, httpx.HTTPError) as exc:
        # The nest is registered and served: a refused question must not end that.
        console.print(f"no completions to show: {exc}", markup=False)
        return
    code = [answer for answer in answers if is_code(answer.text.strip())]
    code.sort(key=lambda answer: answer.confidence, reverse=True)
    console.print(
        f"\n[bold]Held-out lines, completed[/] [dim](the {min(NUM_SHOWN, len(code))} surest of "
        f"{len(answers)} asked; comments and blanks left out)[/]"
    )
    for answer in code[:NUM_SHOWN]:
        console.print(render_answer(answer), highlight=False)


def complete_line(endpoint: Endpoint, task: LineTask) -> Shown:
    """One request to `/v1/completions`; raises InferenceError with what the endpoint said."""
    body = {
        "model": "auto",
        "prompt": task.prefix,
        "max_tokens": 48,
        "stop": "\n",
        "path": task.path,
        "language": task.language,
    }
    response = httpx.post(
        f"{endpoint.openai_url}/completions", json=body, timeout=60, trust_env=False
    )
    if response.status_code != 200:
        raise InferenceError(
            f"{endpoint.openai_url} answered {response.status_code}: {response.text}"
        )
    answer: dict[str, Any] = response.json()
    decision = answer["nested"]
    return Shown(task, answer["choices"][0]["text"], decision["level"], decision["confidence"])


def render_answer(shown: Shown) -> str:
    """The lines above in grey, the answer in green, what stands there really when it differs."""
    above = "\n".join(shown.task.prefix.split("\n")[-LINES_ABOVE - 1 :])
    verdict = (
        "as written"
        if shown.text.strip() == shown.task.line.strip()
        else f"written: {shown.task.line}"
    )
    return (
        f"\n[cyan]{escape(shown.task.path)}[/]  level [bold]{shown.level}[/], confidence {shown.confidence:.2f}\n"
        f"[dim]{escape(above)}[/][green]{escape(shown.text)}[/]\n[dim]  ({escape(verdict)})[/]"
    )
