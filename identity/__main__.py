"""`python -m identity` is the command `identity`."""

from identity.cli import main

main()
