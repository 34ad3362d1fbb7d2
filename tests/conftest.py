"""What holds for every test."""

from __future__ import annotations

import os
import secrets
import signal

from hypothesis import HealthCheck, settings

# Before any test module imports Ray: clusters of the tests share no token with the user's own. It is one token for
# all of them, since Ray reads it once a process.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(24))

# Machines that run tests are slow and shared: no test fails for the time an example took. The examples are the same
# in every run.
settings.register_profile(
    "project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")

# A shell starts background jobs with Ctrl-C ignored, and every process they start inherits that: commands
# that the tests interrupt would never hear of it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
