"""What is prescribed, in numbers and in words: pure values and functions."""
