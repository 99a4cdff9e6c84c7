"""What every layer of a model gets and returns during one call."""
