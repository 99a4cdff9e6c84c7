"""Writing files in torch's layout: the layout, and one module per format."""
