"""The OpenAI dialect: `/v1/completions` and `/v1/models`, as the official client speaks it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, Field

from nested_ray.api.schemas import Decision, Filtered, Name, Sampling, Text, WireModel


def _text_not_ids(value: Any) -> Any:
    """Token ids belong to another tokenizer than ours; say so instead of failing on their type."""
    if not isinstance(value, list):
        return value
    items = tuple(cast(list[Any], value))
    if items and isinstance(items[0], (int, list)):
        raise ValueError("token ids are not understood; send text, or a list of texts")
    return items


class StreamOptions(WireModel):
    """Options of a streamed completion."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None
    """Ignored."""


class CompletionRequest(Sampling):
    """`POST /v1/completions`."""

    model: Name = "auto"
    """`auto`, `ensemble` or the name of a level."""
    prompt: Annotated[Text | tuple[Text, ...], BeforeValidator(_text_not_ids)]
    """The code before the cursor; a list asks for each of its texts."""
    suffix: Text | None = None
    """The code behind the cursor."""
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    logprobs: int | None = Field(default=None, ge=0, le=5)
    """How many of the likeliest tokens to report beside each chosen one."""
    echo: bool | None = None
    """Put the prompt before the text of every choice."""
    best_of: Any = None
    """Ignored."""
    frequency_penalty: Any = None
    """Ignored."""
    presence_penalty: Any = None
    """Ignored."""
    logit_bias: Any = None
    """Ignored."""

    @property
    def prompts(self) -> tuple[str, ...]:
        return (self.prompt,) if isinstance(self.prompt, str) else self.prompt


class ChoiceLogprobs(BaseModel):
    """Natural log-probabilities of the generated tokens."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]] | None
    text_offset: list[int]
    """Where each token begins, in characters from the start of the choice's text."""


class ChoiceDecision(BaseModel):
    """What the router thinks of one choice."""

    level: str
    confidence: float
    parses: bool | None
    filtered: Filtered | None = None


class CompletionChoice(BaseModel):
    """One choice; choices of one prompt come best first."""

    text: str
    index: int
    logprobs: ChoiceLogprobs | None = None
    finish_reason: Literal["stop", "length"] | None = None
    nested: ChoiceDecision | None = None


class CompletionUsage(BaseModel):
    """Tokens of all prompts, and of everything that was generated to answer them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class Completion(BaseModel):
    """The answer, or one chunk of a streamed one."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: CompletionUsage | None = None
    nested: Decision | None = None
    """How the first prompt's answer came about; in a stream, on the last chunk with choices."""


class Model(BaseModel):
    """Something that the `model` of a request may say."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "nested-ray"


class ModelList(BaseModel):
    object: Literal["list"] = "list"
    data: list[Model]


class ErrorDetail(BaseModel):
    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(BaseModel):
    """Every answer that is not a success."""

    error: ErrorDetail
