"""The same tests with the oldest and the newest versions of what the collection runs on: tests/bin/test-matrix."""
