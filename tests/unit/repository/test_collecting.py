"""The garbage collector is as it was afterwards."""

import gc

import pytest

from nested_ray.repository.collecting import without_collecting


@pytest.mark.parametrize("was_on", [True, False])
def test_collecting_goes_on_as_before_even_after_an_error(was_on: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if was_on else gc.disable)()
        with pytest.raises(KeyError), without_collecting():
            assert not gc.isenabled()
            with without_collecting():
                pass
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is was_on
    finally:
        (gc.enable if before else gc.disable)()
