"""The authorization endpoint: what is asked, the checks in their order, and how the answer travels."""
