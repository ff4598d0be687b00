"""Recorded answers of the Go services, and how they are replayed."""
