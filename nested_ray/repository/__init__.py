"""Files of a code base → outlines, resolved links between them, and the graph they make."""
