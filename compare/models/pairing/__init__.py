"""Which layer of one model is which of the other, and how their arrays lie."""
