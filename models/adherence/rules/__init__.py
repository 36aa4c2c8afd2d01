"""What opens a flag: pure functions from what is known of a program to at most one finding of a kind."""
