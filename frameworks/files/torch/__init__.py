"""Readers of torch files, and of arrays under torch's names in other formats, without torch."""
