"""Makes the offline provider's core importable: it needs neither Terraform nor the packages of the provider's own environment."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "lab" / "provider"))
