"""Backups: a whole database in one file, and back."""
