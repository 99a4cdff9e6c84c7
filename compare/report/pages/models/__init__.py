"""The page on whole models: six of them, their source in torch, and what proves it."""
