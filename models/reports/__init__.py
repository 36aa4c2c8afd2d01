"""What reports say: tables, their definitions, and what may be shown of small groups. Pure."""
