"""BSL modules → what the rules over their tokens and the configuration around them say."""
