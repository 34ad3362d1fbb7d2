"""A broken file → one fix after which all of it parses."""

from __future__ import annotations

from time import thread_time

from nested_ray.analyzers.findings import Fix
from nested_ray.analyzers.syntax.characters import find_suspicious
from nested_ray.analyzers.syntax.conflicts import find_conflicts
from nested_ray.analyzers.syntax.differences import edits_between
from nested_ray.analyzers.syntax.repair import Scorer, repair
from nested_ray.languages.base import Language

_MAX_REPAIRS = 10
_MAX_SECONDS = 4.0
"""Of processor time, after which no further repair is looked for."""


def mend(language: Language, text: str, *, scorer: Scorer | None = None) -> Fix | None:
    """The likeliest repairs, one error after another, with what deceives the eye corrected.

    None when nothing is to be done or no way was found to make the whole file parse; a merge conflict
    is never decided here.
    """
    mended = text
    done: list[str] = []
    num_repairs = 0
    deadline = thread_time() + _MAX_SECONDS
    for suspicion in reversed(find_suspicious(language, text)):
        if suspicion.fix:
            mended = suspicion.fix.apply(mended)
            done.insert(0, suspicion.fix.description)
    while (issue := language.check(mended)) is not None:
        is_enough = num_repairs == _MAX_REPAIRS or thread_time() > deadline
        if is_enough or find_conflicts(mended):
            return None
        repairs = repair(language, mended, issue, scorer=scorer)
        if not repairs:
            return None
        mended = repairs[0].as_fix().apply(mended)
        done.append(repairs[0].description)
        num_repairs += 1
    if mended == text:
        return None
    return Fix(", ".join(dict.fromkeys(done)), edits_between(text, mended, 0))
