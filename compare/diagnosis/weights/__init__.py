"""The weights of a port: from which right arrays they were made, and by which mistakes."""
