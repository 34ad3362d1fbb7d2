"""Measurements are tested on the tiny levels that training is tested on."""

from tests.unit.train.conftest import exchange, make_dataset, make_job, make_trainer, one_thread

__all__ = ["exchange", "make_dataset", "make_job", "make_trainer", "one_thread"]
