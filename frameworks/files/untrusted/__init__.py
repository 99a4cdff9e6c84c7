"""The security boundary: every byte of a file is read, checked and bounded here."""
