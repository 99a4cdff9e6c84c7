"""What each operation between layers becomes in torch."""
