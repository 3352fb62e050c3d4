"""Which nodes run together, in which order, and where their values lie in memory."""
