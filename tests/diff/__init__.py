"""What a change takes away from tests and refusals: `make test-diff`."""
