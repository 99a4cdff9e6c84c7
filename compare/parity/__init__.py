"""Whether two layers compute the same: what is compared, how far apart it is, and the verdict."""
