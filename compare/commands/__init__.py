"""The commands of `gatewise`: one module each, with its line in `gatewise --help`."""

COMMANDS = {
    "report": "run the comparisons and write the Markdown reports",
    "inspect": "list the layers of a checkpoint file",
    "port": "convert a checkpoint file to another format",
    "verify": "compare the layers of two checkpoint files",
}
"""Each command is a module here with `add_arguments(parser)` and `run(given)`, which returns the exit status."""
