"""Arguments, progress bars, tables; no rules."""
