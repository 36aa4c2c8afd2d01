"""The house: what we know about home exercise, and what may happen to it."""
