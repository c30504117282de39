"""Terraform starts this as `python -m offline aws`."""

import sys

from .front import ask

name = sys.argv[1]
code = ask(name)
if code is None:
    from .core import Provider
    from .server import Servicer, serve

    serve(Servicer(Provider(name)))
else:
    sys.exit(code)
