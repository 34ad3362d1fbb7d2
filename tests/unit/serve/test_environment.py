from __future__ import annotations

import os
import subprocess
from pathlib import Path

from nested_ray.serve.environment import BINARY_VARIABLE, HAPROXY_ON_LOOPBACK, serve_environment

TEMPLATE = """\
frontend prometheus
    bind :9101
frontend http_frontend
    bind 127.0.0.1:8000
frontend elsewhere
    bind *:8000 proto h2
listen stats
  bind *:8404
"""


def test_haproxy_keeps_its_statistics_on_loopback(tmp_path: Path):
    """The script rewrites Serve's file and hands every argument on to the real program."""
    config = tmp_path / "haproxy.cfg"
    config.write_text(TEMPLATE)
    environment = {**os.environ, BINARY_VARIABLE: "/bin/echo"}
    command = [str(HAPROXY_ON_LOOPBACK), "-db", "-f", str(config), "-x", "a b"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert said.stdout == f"-db -f {config} -x a b\n"
    binds = [line.strip() for line in config.read_text().splitlines() if "bind" in line]
    assert binds == [
        "bind 127.0.0.1:9101",
        "bind 127.0.0.1:8000",
        "bind *:8000 proto h2",
        "bind 127.0.0.1:8404",
    ]


def test_the_environment_names_programs_that_exist():
    environment = serve_environment()
    assert environment["RAY_SERVE_THROUGHPUT_OPTIMIZED"] == "1"
    for name in ("RAY_SERVE_HAPROXY_BINARY_PATH", BINARY_VARIABLE):
        assert os.access(environment[name], os.X_OK)


def test_serve_knows_every_switch():
    """A variable that Ray renamed would be ignored in silence."""
    from ray.serve._private import constants

    source = Path(constants.__file__).read_text()
    for name in serve_environment():
        assert name in source or name == BINARY_VARIABLE
