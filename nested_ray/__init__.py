"""nested-ray: train a nest of three code models on your own code and serve them as one endpoint."""

__version__ = "0.1.0"
