"""Is an answer good enough: does it parse in place, and is the model sure of it?"""

from __future__ import annotations

from collections.abc import Callable

from nested_ray.inference.base import Prompt, SamplingParams
from nested_ray.inference.confidence import confidence
from nested_ray.languages import LANGUAGES, Language, Validity
from nested_ray.routing.base import Choice, Completion, Reason, Shortcoming

FindLanguage = Callable[[str], Language | None]
"""The language module of a name, None for a language that nobody can check."""


def find_language(name: str) -> Language | None:
    return next((language for language in LANGUAGES if language.name == name), None)


class Verifier:
    """Judges completions by syntax and by the model's own token probabilities."""

    def __init__(self, find_language: FindLanguage = find_language) -> None:
        self._find_language = find_language

    def judge(
        self, level: str, prompt: Prompt, params: SamplingParams, completion: Completion
    ) -> Choice:
        """The completion with its confidence and whether it parses in place."""
        language = self._find_language(prompt.language)
        parses = None if language is None else parses_in_place(language, prompt, params, completion)
        return Choice(completion, level, confidence(completion.tokens), parses)


def shortcoming(choice: Choice, threshold: float) -> Shortcoming | None:
    """Why the choice is not good enough; None when it is."""
    if choice.parses is False:
        return Shortcoming(Reason.BROKEN, "it does not parse in place")
    if choice.confidence < threshold:
        detail = f"confidence {choice.confidence:.2f} is under {threshold:.2f}"
        return Shortcoming(Reason.UNSURE, detail)
    return None


def rank(choice: Choice) -> tuple[int, float]:
    """Sorts the better choice higher: one that parses, then the surer one."""
    return (0 if choice.parses is False else 1, choice.confidence)


def parses_in_place(
    language: Language, prompt: Prompt, params: SamplingParams, completion: Completion
) -> bool | None:
    """False when the answer breaks its file, True when the file parses with it, None when neither can be shown.

    A file that did not parse before the answer is not held against the answer.
    """
    if not prompt.suffix:
        return continues_well(language, prompt.prefix, ended(completion, params))
    whole = language.check(prompt.prefix + completion.text + prompt.suffix) is None
    if whole:
        return True
    if continues_well(language, prompt.prefix, completion.text) is False:
        return False
    was_whole = language.check(prompt.prefix + prompt.suffix) is None
    if not was_whole:
        return None
    if completion.finish_reason == "length":
        # Cut in mid-line: only its whole lines can be held against it.
        lines = completion.text[: completion.text.rfind("\n") + 1]
        return None if language.check(prompt.prefix + lines + prompt.suffix) is None else False
    return False


def continues_well(language: Language, prefix: str, text: str) -> bool | None:
    """Whether prefix and text can still become a valid file; None when the prefix never could."""
    if language.check_prefix(prefix + text) is not Validity.INVALID:
        return True
    return None if language.check_prefix(prefix) is Validity.INVALID else False


def ended(completion: Completion, params: SamplingParams) -> str:
    """The text with the line end that the model saw behind it, where it chose to stop there."""
    stops_at_line_end = not params.stop or any(stop.startswith("\n") for stop in params.stop)
    if completion.finish_reason == "stop" and stops_at_line_end:
        return completion.text + "\n"
    return completion.text
