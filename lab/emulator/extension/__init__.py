"""What MiniStack lacks and the lab needs: pieces, each with an apply() that start.py calls once before MiniStack starts, and what they share.

They are in packages with boto3's names of AWS's services; `common` is beneath all, `faults` is of every service. Each piece says at its top what is
missing; the test of the same name in tests/emulator/test_emulator_shortcomings.py fails once MiniStack has it, and then the piece can go.
"""
