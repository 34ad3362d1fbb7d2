"""Credentials in source text, found by detect-secrets' detectors of tokens with a fixed form.

Its keyword and high-entropy detectors are left out: on ordinary code they report hundreds of names
and hashes. Nothing is verified against a remote service: only `analyze_string` is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from detect_secrets.plugins.artifactory import ArtifactoryDetector
from detect_secrets.plugins.aws import AWSKeyDetector
from detect_secrets.plugins.azure_storage_key import AzureStorageKeyDetector
from detect_secrets.plugins.base import RegexBasedDetector
from detect_secrets.plugins.github_token import GitHubTokenDetector
from detect_secrets.plugins.gitlab_token import GitLabTokenDetector
from detect_secrets.plugins.jwt import JwtTokenDetector
from detect_secrets.plugins.npm import NpmDetector
from detect_secrets.plugins.openai import OpenAIDetector
from detect_secrets.plugins.private_key import PrivateKeyDetector
from detect_secrets.plugins.pypi_token import PypiTokenDetector
from detect_secrets.plugins.sendgrid import SendGridDetector
from detect_secrets.plugins.slack import SlackDetector
from detect_secrets.plugins.square_oauth import SquareOAuthDetector
from detect_secrets.plugins.stripe import StripeDetector

# Each detector runs only on lines that hold one of its fixed parts: plain substring search over a
# whole file is some hundred times faster than the regular expressions.
DETECTORS: tuple[tuple[RegexBasedDetector, tuple[str, ...]], ...] = (
    (PrivateKeyDetector(), ("PRIVATE KEY", "PuTTY-User-Key-File-2")),
    (AWSKeyDetector(), ("AKIA", "ASIA", "ABIA", "ACCA", "A3T", "aws", "AWS", "Aws")),
    (AzureStorageKeyDetector(), ("AccountKey=",)),
    (ArtifactoryDetector(), ("AKC",)),
    (GitHubTokenDetector(), ("ghp_", "gho_", "ghu_", "ghs_", "ghr_")),
    (GitLabTokenDetector(), ("glpat-", "gldt-", "glft-", "glsoat-", "glrt-", "GR1348941",
                             "glcbt-", "glimt-", "glptt-", "glagent-", "gloas-")),
    (JwtTokenDetector(), ("eyJ",)),
    (NpmDetector(), (":_authToken=",)),
    (OpenAIDetector(), ("T3BlbkFJ",)),
    (PypiTokenDetector(), ("pypi-AgE",)),
    (SendGridDetector(), ("SG.",)),
    (SlackDetector(), ("xox", "XOX", "hooks.slack.com")),
    (SquareOAuthDetector(), ("sq0csp-",)),
    (StripeDetector(), ("k_live_",)),
)  # fmt: skip
ALLOWED_LINE = "pragma: allowlist secret"
"""detect-secrets' own mark for a line that only looks like a credential."""
PLACEHOLDER = re.compile(r"EXAMPLE|(.)\1{9}")
"""Published examples (`AKIAIOSFODNN7EXAMPLE`) and rows of one character."""
KEY_MATERIAL = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{40}")
KEY_MATERIAL_WITHIN_CHARS = 600


def find_credential(text: str) -> str | None:
    """What was found and where, `AWS Access Key in line 12`; None when nothing was."""
    for detector, anchors in DETECTORS:
        for offset, line in _lines_with(text, anchors):
            if ALLOWED_LINE in line:
                continue
            if any(
                _is_credential(detector, found, text, offset, line)
                for found in detector.analyze_string(line)
            ):
                return f"{detector.secret_type} in line {text.count(chr(10), 0, offset) + 1}"
    return None


def _lines_with(text: str, anchors: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """(offset, line) of every line that holds an anchor; a line may come once per anchor."""
    for anchor in anchors:
        position = text.find(anchor)
        while position >= 0:
            start = text.rfind("\n", 0, position) + 1
            end = text.find("\n", position)
            end = len(text) if end < 0 else end
            yield start, text[start:end]
            position = text.find(anchor, end)


def _is_credential(
    detector: RegexBasedDetector, found: str, text: str, offset: int, line: str
) -> bool:
    """Whether a match is more than a name, a published example or the middle of other data."""
    if isinstance(detector, PrivateKeyDetector):
        # Code that handles keys names their first line; a key has its bytes after it.
        after = text.index(found, offset) + len(found)
        return KEY_MATERIAL.search(text, after, after + KEY_MATERIAL_WITHIN_CHARS) is not None
    # A detector may give the token's prefix only, or the quotes around it.
    start = re.escape(found.strip(" \t\"'=:"))
    tokens = re.findall(rf"(?<![A-Za-z0-9]){start}[\w+/=.-]*", line)
    return any(not PLACEHOLDER.search(token) for token in tokens)
