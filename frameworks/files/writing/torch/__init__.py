"""Files in torch's layout: what they hold, one module a format."""
