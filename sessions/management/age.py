"""Ages on the command line: 90d, 12h or 30m."""

import argparse
import re
from datetime import timedelta
from typing import Final

_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes"}


def age(text: str) -> timedelta:
    """Return the age that text names. Raises ArgumentTypeError."""
    found = re.fullmatch(r"(\d{1,6})([dhm])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age like 90d, 12h or 30m")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})
