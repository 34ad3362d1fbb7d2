"""Datasets of several levels → models that learned side by side and from each other."""
