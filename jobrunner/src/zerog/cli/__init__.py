"""The `zerog` command. Each module holds some subcommands; `zerog.cli.main` has the
table of them."""
