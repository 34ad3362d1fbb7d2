"""What the syntax level can find without a model."""

from __future__ import annotations

from nested_ray.analyzers.findings import Rule, Severity

INVALID_TEXT = Rule(
    "syntax/invalid-text",
    "The text is not a valid file of its language.",
    "The file cannot be compiled. The finding stands on the first token that cannot stand there and "
    "names what could; the cause may lie a few tokens before it. The fix is proven to parse, but "
    "whether it says what was meant is for you to judge.",
    Severity.ERROR,
)
CONFLICT_MARKER = Rule(
    "syntax/conflict-marker",
    "A merge was not finished: conflict markers are left in the file.",
    "Keep one side or join both, then delete the lines that begin with `<<<<<<<`, `|||||||`, `=======` "
    "and `>>>>>>>`.",
    Severity.ERROR,
)
SUSPICIOUS_CHARACTER = Rule(
    "syntax/suspicious-character",
    "A character looks like another one or is invisible.",
    "A Latin letter in a Cyrillic name (or the other way round) makes another name that looks the same; "
    "bidirectional controls show code in another order than it is read; no-break and zero-width "
    "spaces and NUL hide in plain sight. Replace the character by the one that was meant.",
    Severity.WARNING,
)

INVALID_QUERY = Rule(
    "syntax/invalid-query",
    "A string holds a query that the query language does not accept.",
    "The module compiles, but the query fails when it is run. Only whole queries are judged; what the "
    "program joins from pieces is not.",
    Severity.ERROR,
    languages=("bsl",),
)

RULES = (INVALID_TEXT, CONFLICT_MARKER, SUSPICIOUS_CHARACTER, INVALID_QUERY)
