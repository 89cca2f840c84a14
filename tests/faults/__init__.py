"""What should not happen to the library, and what it does then."""
