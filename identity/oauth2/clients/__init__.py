"""Who is calling: authentication by every method, the key a call proves, and what clients say about themselves."""
