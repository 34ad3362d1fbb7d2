import io
import json
import logging

import pytest

from nested_ray.errors import ConfigError
from nested_ray.observability import logs


@pytest.fixture(autouse=True)
def restored_logging():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in logs.NOISY_LIBRARIES:
        logging.getLogger(name).setLevel(logging.NOTSET)


def lines_of(json_lines, emit):
    stream = io.StringIO()
    logs.setup("info", json=json_lines, stream=stream)
    emit(logging.getLogger("nested_ray.train.run"))
    return stream.getvalue().splitlines()


def test_human_line_names_the_module_and_the_extra_fields():
    (line,) = lines_of(False, lambda log: log.info("ready", extra={"level_name": "syntax"}))
    assert line.endswith("INFO train.run: ready  level_name=syntax")


def test_json_line_holds_message_and_extra_fields():
    (line,) = lines_of(True, lambda log: log.info("step %d", 4, extra={"loss": 2.5, "path": "é"}))
    entry = json.loads(line)
    assert entry["message"] == "step 4"
    assert entry["level"] == "info"
    assert entry["logger"] == "nested_ray.train.run"
    assert (entry["loss"], entry["path"]) == (2.5, "é")


def test_json_line_survives_values_that_json_does_not_know():
    (line,) = lines_of(True, lambda log: log.info("x", extra={"value": {1: object()}}))
    assert "object" in json.loads(line)["value"]["1"]


@pytest.mark.parametrize("json_lines", [True, False])
def test_secrets_are_masked_in_message_traceback_and_fields(json_lines):
    def emit(log):
        try:
            raise ValueError("postgresql://u:hunter2@h/db")
        except ValueError:
            log.exception(
                "redis://:hunter2@h", extra={"url": "s3://k:hunter2@b", "password": "hunter2"}
            )

    text = "\n".join(lines_of(json_lines, emit))
    assert "ValueError" in text
    assert "hunter2" not in text


def test_calling_setup_twice_does_not_double_the_lines():
    logs.setup("info", stream=io.StringIO())
    assert len(lines_of(False, lambda log: log.warning("once"))) == 1


def test_libraries_speak_from_warning_on():
    stream = io.StringIO()
    logs.setup("info", stream=stream)
    logging.getLogger("botocore").info("chatter")
    logging.getLogger("botocore").warning("trouble")
    assert "chatter" not in stream.getvalue()
    assert "trouble" in stream.getvalue()


def test_unknown_level_says_which_ones_there_are():
    with pytest.raises(ConfigError, match="'loud' is unknown; choose one of debug, info"):
        logs.setup("loud")
