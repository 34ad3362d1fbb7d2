"""Router events → the chunks of a streamed completion."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from nested_ray.api.openai import Completion, CompletionChoice, CompletionRequest
from nested_ray.routing.base import Answer, StreamPart
from nested_ray.serve.wire import decision_of, judgement_of, logprobs_of, usage_of

Events = AsyncGenerator[StreamPart | Answer]


@dataclass
class ChunkWriter:
    """Numbers choices through all prompts and keeps track of where each one's next token begins."""

    request: CompletionRequest
    id: str
    created: int
    first_index: int = 0
    prompt: str = ""
    _offsets: dict[int, int] = field(default_factory=dict[int, int])

    def chunk(self, part: StreamPart, answer: Answer | None = None) -> Completion:
        """One part as a chunk; the last one of a prompt carries how its answer came about."""
        index = self.first_index + part.index
        is_first = index not in self._offsets
        echoed = self.prompt if is_first and self.request.echo else ""
        # Counted in tokens and not in texts: text may come later than its tokens, or be cut by a stop.
        offset = self._offsets.get(index, len(echoed))
        self._offsets[index] = offset + sum(len(token.text) for token in part.tokens)
        judged = part.choice or (answer.choices[part.index] if answer else None)
        choice = CompletionChoice(
            text=echoed + part.text,
            index=index,
            logprobs=logprobs_of(self.request, part.tokens, offset=offset),
            finish_reason=part.finish_reason,
            nested=judgement_of(judged) if judged else None,
        )
        return self.envelope([choice], answer)

    def envelope(self, choices: list[CompletionChoice], answer: Answer | None = None) -> Completion:
        return Completion(
            id=self.id,
            created=self.created,
            model=self.request.model,
            choices=choices,
            nested=decision_of(answer) if answer else None,
        )


async def completion_chunks(
    request: CompletionRequest,
    events_by_prompt: Iterable[Events],
    *,
    id: str,
    created: int,
    on_answer: Callable[[Answer], None],
) -> AsyncGenerator[Completion]:
    """Chunks of every prompt in turn, then the usage where it was asked for."""
    writer = ChunkWriter(request, id, created)
    answers: list[Answer] = []
    for prompt, events in zip(request.prompts, events_by_prompt, strict=True):
        writer = replace(writer, prompt=prompt, first_index=len(answers) * (request.n or 1))
        last: StreamPart | None = None
        async with aclosing(events):
            async for event in events:
                if last is not None:
                    yield writer.chunk(last, event if isinstance(event, Answer) else None)
                    last = None
                if isinstance(event, Answer):
                    answers.append(event)
                    on_answer(event)
                elif event.finish_reason:
                    last = event  # a choice's end waits for the judgement that comes behind it
                else:
                    yield writer.chunk(event)
    if request.stream_options and request.stream_options.include_usage:
        yield writer.envelope([]).model_copy(update={"usage": usage_of(answers)})
