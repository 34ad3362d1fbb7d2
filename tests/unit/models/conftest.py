import pytest
import torch

from tests.unit.models.tiny_pretrained import write_pretrained


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pretrained_dir(tmp_path_factory):
    return write_pretrained(tmp_path_factory.mktemp("pretrained"))
