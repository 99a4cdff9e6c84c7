"""Recurrent layers of published models, with the results that they returned in their original programs."""
