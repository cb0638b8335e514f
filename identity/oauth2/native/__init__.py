"""Sign-in by JSON, without a browser."""
