"""A demo clinic that convinces: about forty patients over twelve weeks, each with a story."""
