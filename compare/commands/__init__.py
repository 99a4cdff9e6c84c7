"""The commands of `gatewise`: one module each, with its line in `gatewise --help`, and what they have in common."""

COMMANDS = {
    "report": "run the comparisons and write the Markdown reports",
    "inspect": "list the layers of a checkpoint file",
    "port": "convert a checkpoint file to another format",
    "verify": "compare the layers of two checkpoint files",
    "diagnose": "name the mistake in a wrong port of a layer",
    "compare": "compare two whole models, and find where they first part",
    "completion": "print the script that completes this command line in a shell",
    "help": "show the help of a command",
}
"""Each command is a module here with `add_arguments(parser)`, `run(given)`, which returns an `Outcome`, an EXAMPLE, and the
exit STATUSES that are its own."""

FLAGS = {
    "--json": "print one JSON object: command, version, status, results",
    "--quiet": "print nothing but errors; the exit status is the result",
    "--verbose": "print all details",
    "--debug": "show the traceback of an error",
}
"""The flags of every command."""

INTERRUPTED = 130
STATUSES = {
    0: "all agrees, or done",
    1: "a difference, a drift, a mistake",
    2: "a wrong call or input; an error",
    3: "no difference found, but something could not be compared or seen",
    INTERRUPTED: "interrupted",
}
"""The exit statuses of all commands."""
