"""Is an answer good enough: does it parse in place, and is the model sure of it?

An answer that would break a sound file is cut back to what fits, or refused, before anybody sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

from nested_ray.inference.base import Prompt, SamplingParams, TokenLogprob
from nested_ray.inference.confidence import confidence
from nested_ray.languages import LANGUAGES, Language
from nested_ray.routing.base import Choice, Completion, Reason, Shortcoming
from nested_ray.routing.gap import Gap

FindLanguage = Callable[[str], Language | None]
"""The language module of a name, None for a language that nobody can check."""


def find_language(name: str) -> Language | None:
    return next((language for language in LANGUAGES if language.name == name), None)


class Verifier:
    """Judges completions by syntax and by the model's own token probabilities."""

    def __init__(self, find_language: FindLanguage = find_language) -> None:
        self._find_language = find_language

    def gap(self, prompt: Prompt) -> Gap | None:
        """The place that is to be filled; None in a language that nobody can check."""
        language = self._find_language(prompt.language)
        return None if language is None else Gap(language, prompt)

    def judge(
        self,
        level: str,
        prompt: Prompt,
        params: SamplingParams,
        completion: Completion,
        *,
        num_sent: int = 0,
    ) -> Choice:
        """What may be returned of the completion, with its confidence and whether it parses in place.

        `num_sent` characters were found to fit before, and are with the caller already.
        """
        gap = self.gap(prompt)
        if gap is None:
            return Choice(completion, level, confidence(completion.tokens), None)
        meant = completion.text if prompt.suffix else ended(completion, params)
        if gap.fits(meant):
            parses = gap.parses(meant)
            return Choice(completion, level, confidence(completion.tokens), parses)
        is_finished = completion.finish_reason == "stop"
        kept = gap.cut_back(completion.text, at_least=num_sent, is_finished=is_finished)
        part = beginning(completion, len(kept))
        filtered = "trimmed" if kept else "refused"
        return Choice(part, level, confidence(part.tokens), gap.parses(kept), filtered)


def shortcoming(choice: Choice, threshold: float) -> Shortcoming | None:
    """Why the choice is not good enough; None when it is."""
    if choice.is_broken:
        return Shortcoming(Reason.BROKEN, "it does not parse in place")
    if choice.confidence < threshold:
        detail = f"confidence {choice.confidence:.2f} is under {threshold:.2f}"
        return Shortcoming(Reason.UNSURE, detail)
    return None


def rank(choice: Choice) -> tuple[bool, bool, float]:
    """Sorts the better choice higher: one that parsed as it came, one with something left, the surer one."""
    return (not choice.is_broken, choice.filtered != "refused", choice.confidence)


def ended(completion: Completion, params: SamplingParams) -> str:
    """The text with the line end that the model saw behind it, where it chose to stop there."""
    stops_at_line_end = not params.stop or any(stop.startswith("\n") for stop in params.stop)
    if completion.finish_reason == "stop" and stops_at_line_end:
        return completion.text + "\n"
    return completion.text


def beginning(completion: Completion, num_chars: int) -> Completion:
    """The completion up to a character, with the tokens that lie in it."""
    return Completion(
        completion.text[:num_chars],
        tokens_within(completion.tokens, num_chars),
        completion.finish_reason,
    )


def tokens_within(tokens: tuple[TokenLogprob, ...], num_chars: int) -> tuple[TokenLogprob, ...]:
    """The tokens that end within so many characters of text."""
    ends = accumulate(len(token.text) for token in tokens)
    return tuple(token for token, end in zip(tokens, ends, strict=True) if end <= num_chars)
