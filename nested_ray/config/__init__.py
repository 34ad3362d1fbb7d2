"""YAML and environment → frozen settings. Imports neither torch nor ray."""
