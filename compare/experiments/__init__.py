"""What the reports execute: one module a page, frameworks in, results out (`python -m compare.experiments`)."""
