"""What both dialects of the wire share: checked requests, the sampling fields, how an answer came about."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from nested_ray.errors import InvalidRequest

SEED_LIMIT = 2**63
MAX_NAME_CHARS = 256
MAX_PROBLEMS = 3
MAX_PATH_CHARS = 4_096


def _well_formed(text: str) -> str:
    """Reject what cannot be encoded; halves of surrogate pairs reach us through JSON escapes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as exc:
        raise ValueError(
            f"half of a surrogate pair at character {exc.start}; send valid Unicode"
        ) from exc
    return text


Text = Annotated[str, AfterValidator(_well_formed)]
Name = Annotated[Text, Field(max_length=MAX_NAME_CHARS)]


class WireModel(BaseModel):
    """Base of every request: unknown fields and wrong types are errors, numbers are finite."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    @classmethod
    def from_json(cls, body: bytes) -> Self:
        """Raises InvalidRequest with one clause per problem, each naming its field."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as exc:
            raise InvalidRequest(describe(exc)) from exc


class Sampling(WireModel):
    """How to choose tokens; shared by the OpenAI and the native form."""

    max_tokens: int | None = Field(default=None, ge=1)
    """Most tokens to generate; the server's default when left out."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    """0 (the default) takes the likeliest token."""
    top_p: float | None = Field(default=None, gt=0, le=1)
    n: int | None = Field(default=None, ge=1)
    """Choices per prompt."""
    stop: Text | tuple[Text, ...] | None = None
    """Generation ends before any of these strings."""
    seed: int | None = Field(default=None, ge=-SEED_LIMIT, lt=SEED_LIMIT)
    user: Name | None = None
    """Sticks to one arm of an A/B split."""
    language: Name | None = None
    """`python` or `bsl`; guessed from `path` and the code when left out."""
    path: Annotated[Text, Field(max_length=MAX_PATH_CHARS)] | None = None
    """Where the code stands in its repository; levels that see more than the window use it."""

    @property
    def stops(self) -> tuple[str, ...]:
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else self.stop


class Latency(BaseModel):
    """Where the time of a request went, in milliseconds; the four add up to the whole."""

    router_ms: float
    queue_ms: float
    engine_ms: float
    verify_ms: float


Filtered = Literal["trimmed", "refused"]


class Decision(BaseModel):
    """How an answer came about; every answer carries one."""

    level: str
    """The level that decided."""
    action: str
    """`cascade`, `direct` or `ensemble`."""
    confidence: float
    parses: bool | None
    """Whether the file parses with the answer in place; null where that cannot be told."""
    filtered: Filtered | None = None
    """`trimmed`: more of the answer, or its line end, would have broken the file; `refused`: any of it would."""
    level_contributions: dict[str, float]
    """Each level's share in the decision; they add up to 1."""
    latency: Latency
    versions: dict[str, str]
    """Model version of every level that took part."""
    arm: str | None
    """The arm of the A/B split that served the request."""
    escalated: dict[str, str]
    """Levels whose answer was not good enough, with the reason."""
    skipped: dict[str, str]
    """Levels that could not answer, with the reason."""
    cached: bool


def describe(exc: ValidationError) -> str:
    """`max_tokens: Input should be greater than or equal to 1 (found 0); …` in one sentence."""
    problems: dict[str, str] = {}
    for error in exc.errors(include_url=False):
        parts = [str(part) for part in error["loc"] if not _is_union_branch(part)]
        place = _shortened(repr(".".join(parts))[1:-1])
        problems.setdefault(place, _problem(error, place))
    return "; ".join(list(problems.values())[:MAX_PROBLEMS])


def _problem(error: Any, place: str) -> str:
    if error["type"] == "json_invalid":
        return f"the body is not valid JSON: {error['ctx']['error']}"
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown field; docs/serving.md lists the fields that are understood"
    if error["type"] == "missing":
        return f"{place}: this field is required"
    if not place:
        return f"the body must be a JSON object: {error['msg']}"
    message = error["msg"].removeprefix("Value error, ")
    return f"{place}: {message} (found {_short(error['input'])})"


def _is_union_branch(part: int | str) -> bool:
    """Pydantic adds the branch it tried (`str`, `tuple[...]`) to the place of an error."""
    return isinstance(part, str) and ("[" in part or part in {"str", "function-after"})


def _short(value: Any) -> str:
    # backslashreplace: half a surrogate pair must not break the answer that complains of it
    text = repr(value).encode("ascii", "backslashreplace").decode()
    return _shortened(text)


def _shortened(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
