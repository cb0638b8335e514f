"""Identity Server: signs people in to applications and answers for the tokens that came out."""

__version__ = "0.1.0"
