"""The weights that a framework starts from, drawn in the other: each module is named for the framework it is written in."""
