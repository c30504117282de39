"""What MiniStack lacks and the lab needs. Every module has apply(), called once before MiniStack starts.

Each says at its top what is missing; the test of the same name in tests/lab/test_emulator_shortcomings.py fails once MiniStack
has it, and then the module can go.
"""
