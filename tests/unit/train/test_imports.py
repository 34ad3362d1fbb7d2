"""What a controller's process loads, and what happens to the garbage collector meanwhile."""

import gc
import subprocess
import sys

import pytest

from nested_ray.train.imports import importing


def test_controllers_load_neither_pytorch_nor_transformers():
    """Ray Train's controller takes twice the memory and time with them."""
    loaded = (
        "import sys, nested_ray.train.controllers, nested_ray.train.worker; print(*sys.modules)"
    )
    names = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True, timeout=300
    ).stdout.split()
    assert "ray.train.v2._internal.execution.controller.controller" in names
    assert not {"torch", "transformers", "datasets", "peft"} & set(names)


def test_the_collector_works_again_after_imports_that_fail():
    assert gc.isenabled()
    try:
        with pytest.raises(ImportError), importing():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
