"""The translation model in PyTorch. `attention`, `gru`, `lstm`, `loss` and `translator` need only torch."""
