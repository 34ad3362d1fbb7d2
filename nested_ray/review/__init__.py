"""A tree or a diff → ranked findings in the formats that people and tools read."""
