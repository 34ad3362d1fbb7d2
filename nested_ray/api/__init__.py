"""JSON ↔ checked requests and answers, in OpenAI's words and our own. Imports neither torch nor ray."""
