"""The subcommands of `identity`, one file each."""
