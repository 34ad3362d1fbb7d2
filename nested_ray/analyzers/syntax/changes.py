"""Single edits that might repair a syntax error, each with how unlikely it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from rapidfuzz import fuzz

from nested_ray.analyzers.syntax.lookalikes import TO_CYRILLIC, TO_LATIN, to_one_script
from nested_ray.analyzers.syntax.site import Change, Site
from nested_ray.analyzers.syntax.spacing import inserted, spelled
from nested_ray.analyzers.syntax.words import LINE_END, Word, read_words
from nested_ray.languages.base import TokenKind

# Prior costs in nats: how seldom each slip is made. A token typed twice, one left out and two swapped
# are the common ones; a token too many that is no copy of its neighbour is rare.
_DOUBLED, _LEFT_OUT, _SWAPPED, _TYPO, _OTHER_WORD, _TOO_MANY = 1.0, 2.0, 3.0, 2.0, 6.0, 9.0
_PER_TOKEN_AWAY = 0.3
_UNEXPECTED = 1.5
"""The parser did not name the token among those that could stand there."""
_NEAR = 3
"""Tokens between the error and where a keyword may be missing; marks are looked for further off."""
_MAX_AHEAD, _MAX_BACK = 60, 2_000
_MIN_SIMILARITY = 72
_CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
_CLOSERS = frozenset(_CLOSER_OF.values())
_OPEN_WORDS = frozenset({TokenKind.KEYWORD, TokenKind.OPERATOR, TokenKind.PUNCTUATION})
_HABITS_OF_OTHER_LANGUAGES = {
    "bsl": {"==": "=", "!=": "<>", "&&": "И", "||": "Или", "!": "Не", "{": "(", "}": ")"},
    "python": {
        "<>": "!=", "&&": "and", "||": "or", "!": "not", "=": "==", "elseif": "elif",
        "null": "None", "++": "+= 1", ";": ":", "function": "def",
    },
}  # fmt: skip


def changes(site: Site) -> Iterator[Change]:
    """Every single edit worth trying, in no order."""
    yield from insertions(site)
    yield from closing_brackets(site)
    yield from early_closers(site)
    yield from deletions(site)
    yield from swaps(site)
    yield from replacements(site)


def insertions(site: Site) -> Iterator[Change]:
    """A token that was left out."""
    expected = {word.folded: word for word in spelled(site, site.issue.expected)}
    near = _grammatical(site)
    far = {f: w for f, w in near.items() if w.kind is TokenKind.PUNCTUATION}
    for gap in range(site.window.start, min(site.window.stop, site.last + 1) + 1):
        options = (near if site.distance(gap) <= _NEAR else far) | _likely(site, gap)
        if gap == site.index:
            options |= expected
        for word in options.values():
            is_unexpected = gap == site.index and bool(expected) and word.folded not in expected
            away = _PER_TOKEN_AWAY * site.distance(gap) + _UNEXPECTED * is_unexpected
            nats = _LEFT_OUT + away + site.surprise(gap, gap, [word])
            yield inserted(site, gap, word, nats)


def _grammatical(site: Site) -> dict[str, Word]:
    """Keywords and marks that the file uses, brackets, and a line end where it means something."""
    found = {f: w for f, w in site.habits.vocabulary.items() if w.kind in _OPEN_WORDS}
    if site.has_layout:
        found[LINE_END] = Word(LINE_END, LINE_END, LINE_END, TokenKind.LAYOUT, 0, 0)
    return found


def _likely(site: Site, gap: int) -> dict[str, Word]:
    """Words that the file has between such neighbours."""
    left = site.words[gap - 1] if gap else None
    right = site.words[gap] if gap < len(site.words) else None
    vocabulary = site.habits.vocabulary
    between = site.habits.familiar.around(left, right)
    return {folded: vocabulary[folded] for folded in between if folded in vocabulary}


def closing_brackets(site: Site) -> Iterator[Change]:
    """Where the parser names an opening bracket, its partner is missing somewhere ahead."""
    if site.index >= len(site.words):
        return
    closer = _CLOSER_OF.get(site.words[site.index].spelling)
    if closer is None:
        return
    word = Word(closer, closer, closer, TokenKind.PUNCTUATION, 0, 0)
    indent = len(site.indent(site.words[site.index].start))
    for gap in range(site.index + 1, min(site.index + _MAX_AHEAD, len(site.words)) + 1):
        ends_line = (
            gap == len(site.words)
            or "\n" in site.text[site.words[gap - 1].end : site.words[gap].start]
        )
        ends_block = ends_line and (
            gap == len(site.words) or len(site.indent(site.words[gap].start)) <= indent
        )
        nats = 2.5 + site.surprise(gap, gap, [word]) - 2.0 * ends_line - 2.0 * ends_block
        yield inserted(site, gap, word, nats + 0.02 * (gap - site.index))


def early_closers(site: Site) -> Iterator[Change]:
    """A closing bracket without its partner: one far above may have closed too early."""
    if site.index >= len(site.words) or site.words[site.index].spelling not in _CLOSERS:
        return
    for position in range(max(site.index - _MAX_BACK, 0), site.window.start):
        if site.words[position].spelling in _CLOSERS:
            nats = _TOO_MANY + site.surprise(position, position + 1, [])
            yield _deleted(site, position, nats)


def deletions(site: Site) -> Iterator[Change]:
    """A token too many, or a whole line of them."""
    for position in site.window:
        word = site.words[position]
        away = _PER_TOKEN_AWAY * site.distance(position)
        neighbours = site.words[max(position - 1, 0) : position]
        is_copy = any(other.folded == word.folded for other in neighbours)
        nats = (_DOUBLED if is_copy else _TOO_MANY) + away
        nats += site.surprise(position, position + 1, [])
        yield _deleted(site, position, nats)
    yield _line_deleted(site)


def _deleted(site: Site, position: int, nats: float) -> Change:
    word = site.words[position]
    before = site.words[position - 1].end if position else 0
    start = word.start
    if word.kind is TokenKind.LAYOUT and word.folded == LINE_END:
        end = word.end + len(site.indent(word.end))
        return Change(start, end, " ", nats, "join two lines")
    if word.start > before and not site.text[before : word.start].strip(" \t"):
        start = before  # with the blanks before it
    glue = " " if _would_join(site.text, start, word.end) else ""
    return Change(start, word.end, glue, nats, f"delete {quoted(word.spelling)}")


def _would_join(text: str, start: int, end: int) -> bool:
    def is_word(c: str) -> bool:
        return c == "_" or c.isalnum()

    return start > 0 and end < len(text) and is_word(text[start - 1]) and is_word(text[end])


def _line_deleted(site: Site) -> Change:
    offset = site.issue.span.start
    start, end = site.line_start(offset), min(site.line_end(offset) + 1, len(site.text))
    num_words = sum(start <= word.start < end for word in site.words)
    description = f"delete the line {quoted(site.text[start:end])}"
    return Change(start, end, "", _TOO_MANY + 2.0 * (1 + num_words), description)


def swaps(site: Site) -> Iterator[Change]:
    """Two neighbours in the wrong order."""
    for position in site.window:
        if position + 1 >= len(site.words):
            return
        one, other = site.words[position], site.words[position + 1]
        if one.folded == other.folded or TokenKind.LAYOUT in (one.kind, other.kind):
            continue
        between = site.text[one.end : other.start]
        away = _PER_TOKEN_AWAY * min(site.distance(position), site.distance(position + 1))
        nats = _SWAPPED + away + site.surprise(position, position + 2, [other, one])
        text = other.spelling + between + one.spelling
        if not between and one.spelling[-1:].isalnum():
            text = f"{other.spelling} {one.spelling}"
        description = f"swap {quoted(one.spelling)} and {quoted(other.spelling)}"
        yield Change(one.start, other.end, text, nats, description)


def replacements(site: Site) -> Iterator[Change]:
    """A token that was meant to be another: mistyped, of another alphabet, of another language."""
    expected = spelled(site, site.issue.expected)
    for position in site.window:
        word = site.words[position]
        if word.kind is TokenKind.LAYOUT:
            continue
        away = _PER_TOKEN_AWAY * site.distance(position)
        for spelling, cost in _respellings(
            site, word, expected, is_here=site.distance(position) == 0
        ):
            description = f"replace {quoted(word.spelling)} with {quoted(spelling)}"
            instead = read_words(site.language, spelling)
            nats = cost + away + site.surprise(position, position + 1, instead)
            yield Change(word.start, word.end, spelling, nats, description)


def _respellings(
    site: Site, word: Word, expected: Iterable[Word], *, is_here: bool
) -> Iterator[tuple[str, float]]:
    for brackets in (_CLOSERS, _CLOSER_OF):
        if word.spelling in brackets:
            yield from ((other, _TYPO) for other in brackets if other != word.spelling)
    habit = _HABITS_OF_OTHER_LANGUAGES.get(site.language.name, {}).get(word.folded)
    if habit:
        yield habit, _TYPO + 1.0
    if word.kind is TokenKind.NAME and (one_script := to_one_script(word.spelling)):
        yield one_script, _TYPO
    keywords = [w for w in site.habits.vocabulary.values() if w.kind is TokenKind.KEYWORD]
    twins = {site.language.fold(word.spelling.translate(way)) for way in (TO_CYRILLIC, TO_LATIN)}
    for other in (*expected, *keywords):
        if other.folded in twins and other.folded != word.folded:
            yield other.spelling, _DOUBLED
        similarity = fuzz.ratio(other.folded, word.folded)
        if _MIN_SIMILARITY <= similarity < 100:
            yield other.spelling, _TYPO + (100 - similarity) / 20
    if is_here:
        for other in expected:
            yield other.spelling, _OTHER_WORD


def quoted(text: str) -> str:
    """Between backticks, cut where it is long."""
    line = " ".join(text.split())
    if not line.isprintable() or not line:
        return " ".join(f"U+{ord(character):04X}" for character in text[:4])
    return f"`{line if len(line) <= 40 else line[:37] + '...'}`"
