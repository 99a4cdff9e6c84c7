"""Wrong ports of recurrent layers with the names of their mistakes, and what scores on them."""
