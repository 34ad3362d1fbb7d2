"""BSL or OneScript text → tokens, validity and outline."""

from nested_ray.languages.bsl.language import Bsl

__all__ = ["Bsl"]
