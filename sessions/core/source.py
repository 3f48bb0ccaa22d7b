"""The source of an act: the credential, the stream and the address that it came with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Where an act came from; "" for an unknown part. No part is a secret.

    credential: `token:<id>` or `login:<beginning of a digest>`. name: that of the token.
    """

    credential: str = ""
    name: str = ""
    connection: str = ""
    address: str = ""
