"""Recurrent layers of published models, with the results recorded in their original programs."""
