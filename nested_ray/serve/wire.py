"""Between the wire and the router: requests become Asks, Answers become bodies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from nested_ray.api.native import Alternative, InferRequest, InferResponse
from nested_ray.api.openai import (
    ChoiceDecision,
    ChoiceLogprobs,
    Completion,
    CompletionChoice,
    CompletionRequest,
    CompletionUsage,
)
from nested_ray.api.schemas import SEED_LIMIT, Decision, Latency, Sampling
from nested_ray.config.serve import LimitsConfig
from nested_ray.errors import InvalidRequest
from nested_ray.inference.base import Prompt, SamplingParams, TokenLogprob
from nested_ray.languages import get_language, guess_language, language_of
from nested_ray.routing.base import Answer, Ask, Choice
from nested_ray.serve.limits import check_limits

LINE_STOPS = ("\n",)


def completion_asks(
    request: CompletionRequest, limits: LimitsConfig, unit: str, deadline: float
) -> list[Ask]:
    """One Ask per prompt; raises InvalidRequest where a limit is passed."""
    check_limits(request, len(request.prompts), limits)
    params = sampling_params(request, limits, num_top_logprobs=request.logprobs or 0)
    return [
        Ask(
            prompt=place(request, prompt, request.suffix or ""),
            params=params,
            n=request.n or 1,
            model=request.model,
            unit=unit,
            deadline=deadline,
        )
        for prompt in request.prompts
    ]


def infer_ask(
    request: InferRequest,
    *,
    model: str,
    version: int | None,
    limits: LimitsConfig,
    unit: str,
) -> Ask:
    """The native form's Ask; `model` and `version` are what its model_id stands for."""
    check_limits(request, 1, limits)
    stops = (*request.stops, *LINE_STOPS) if request.task == "line" else request.stops
    return Ask(
        prompt=place(request, request.input, request.suffix or ""),
        params=sampling_params(request, limits, stops=stops),
        n=request.n or 1,
        model="ensemble" if request.use_all_levels else model,
        task=request.task,
        version=version,
        unit=unit,
    )


def place(request: Sampling, prefix: str, suffix: str) -> Prompt:
    """Where the cursor stands; the language as named, else by the path, else by the look of the code."""
    path = request.path or ""
    if request.language is not None:
        language = named_language(request.language)
    else:
        found = language_of(path) or guess_language(prefix + suffix)
        language = found.name
    return Prompt(prefix=prefix, suffix=suffix, path=path, language=language)


def named_language(name: str) -> str:
    try:
        return get_language(name).name
    except ValueError as exc:
        raise InvalidRequest(f"language: {exc}") from exc


def sampling_params(
    request: Sampling,
    limits: LimitsConfig,
    *,
    stops: tuple[str, ...] | None = None,
    num_top_logprobs: int = 0,
) -> SamplingParams:
    return SamplingParams(
        max_tokens=request.max_tokens or limits.default_tokens,
        temperature=request.temperature or 0.0,
        top_p=1.0 if request.top_p is None else request.top_p,
        stop=request.stops if stops is None else stops,
        # generators take no negative seeds
        seed=None if request.seed is None else request.seed % SEED_LIMIT,
        num_top_logprobs=num_top_logprobs,
    )


def completion_body(
    request: CompletionRequest, answers: Sequence[Answer], *, id: str, created: int
) -> Completion:
    """The whole answer to a request; choices are numbered through all prompts."""
    choices: list[CompletionChoice] = []
    for prompt, answer in zip(request.prompts, answers, strict=True):
        for choice in answer.choices:
            choices.append(completion_choice(request, prompt, choice, index=len(choices)))
    return Completion(
        id=id,
        created=created,
        model=request.model,
        choices=choices,
        usage=usage_of(answers),
        nested=decision_of(answers[0]),
    )


def completion_choice(
    request: CompletionRequest, prompt: str, choice: Choice, *, index: int
) -> CompletionChoice:
    echoed = prompt if request.echo else ""
    completion = choice.completion
    return CompletionChoice(
        text=echoed + completion.text,
        index=index,
        logprobs=logprobs_of(request, completion.tokens, offset=len(echoed)),
        finish_reason=completion.finish_reason,
        nested=judgement_of(choice),
    )


def judgement_of(choice: Choice) -> ChoiceDecision:
    return ChoiceDecision(
        level=choice.level,
        confidence=choice.confidence,
        parses=choice.parses,
        filtered=choice.filtered,
    )


def logprobs_of(
    request: CompletionRequest, tokens: Sequence[TokenLogprob], *, offset: int
) -> ChoiceLogprobs | None:
    """Per-token log-probabilities, where the request asked for them."""
    if request.logprobs is None:
        return None
    offsets: list[int] = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.text)
    return ChoiceLogprobs(
        tokens=[token.text for token in tokens],
        token_logprobs=[token.logprob for token in tokens],
        top_logprobs=[dict(token.top) for token in tokens] if request.logprobs else None,
        text_offset=offsets,
    )


def usage_of(answers: Sequence[Answer]) -> CompletionUsage:
    prompt_tokens = sum(answer.usage.prompt_tokens for answer in answers)
    completion_tokens = sum(answer.usage.completion_tokens for answer in answers)
    return CompletionUsage(
        prompt_tokens=prompt_tokens,
        completion_tokens=completion_tokens,
        total_tokens=prompt_tokens + completion_tokens,
    )


def decision_of(answer: Answer) -> Decision:
    return Decision(
        level=answer.level,
        action=answer.action,
        confidence=answer.confidence,
        parses=answer.choices[0].parses,
        filtered=answer.choices[0].filtered,
        level_contributions=answer.level_contributions,
        latency=Latency(**asdict(answer.latency)),
        versions=answer.versions,
        arm=answer.arm,
        escalated={level: found.detail for level, found in answer.escalated.items()},
        skipped=answer.skipped,
        cached=answer.cached,
    )


def infer_body(answer: Answer, *, id: str) -> InferResponse:
    best, *others = answer.choices
    return InferResponse(
        **decision_of(answer).model_dump(),
        id=id,
        prediction=best.completion.text,
        finish_reason=best.completion.finish_reason,
        alternatives=[
            Alternative(
                prediction=choice.completion.text,
                confidence=choice.confidence,
                parses=choice.parses,
                filtered=choice.filtered,
            )
            for choice in others
        ],
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
    )
