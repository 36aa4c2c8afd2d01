"""The shelf: exercises, precautions, protocols and a demo clinic, as data and as a story, put in by operations."""
