"""What each kind of non-recurrent layer becomes in torch."""
