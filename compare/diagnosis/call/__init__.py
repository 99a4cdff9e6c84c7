"""The recurrence and the call: simulated with slips, and matched with what a port returns."""
