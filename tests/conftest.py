"""What holds for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Machines that run tests are slow and shared: no test fails for the time an example took. The examples are the same
# in every run.
settings.register_profile(
    "project", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("project")
