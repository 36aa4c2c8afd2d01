"""The schema's history, configured in pyproject.toml."""
