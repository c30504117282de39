"""Terraform starts this as `python -m offline aws`."""

import sys

from .server import serve

serve(sys.argv[1])
