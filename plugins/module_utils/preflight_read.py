# Copyright: The atena.aws founders
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Gathers what a preflight judges, with the calls side by side."""

from __future__ import annotations


def gather(call, request: dict) -> dict:
    """All facts of one preflight."""
    return {}
