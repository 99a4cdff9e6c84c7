"""The translation model in Keras 3, for any backend. `attention`, `gru`, `lstm`, `loss` and `translator` need only Keras."""
