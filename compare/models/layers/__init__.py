"""What is wrong inside one layer that is not recurrent."""
