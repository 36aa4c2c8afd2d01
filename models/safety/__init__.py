"""What may harm, and what must be heard at once: pure rules, no clock, no I/O."""
