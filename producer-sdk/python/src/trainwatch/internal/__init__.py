"""What the public API rests on; not for users."""
