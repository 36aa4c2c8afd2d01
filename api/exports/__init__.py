"""Files: the same rows as CSV, XLSX and NDJSON."""
