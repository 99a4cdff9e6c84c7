"""Both sides of a diagnosis: how they are called, what they hold, and how they are left as they were."""
