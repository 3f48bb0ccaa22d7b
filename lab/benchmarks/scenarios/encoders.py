"""JSON encoders on what the server encodes most: CPU of one object, without any server."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from typing import Any, Final

from pydantic_core import to_json

from lab.benchmarks.results.record import Value
from lab.benchmarks.sizes import Sizes

Json = dict[str, Any]
Encoder = Callable[[Any], bytes | str]

_COMPACT: Final = json.JSONEncoder(separators=(",", ":"))
_WIDE: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
# Those of a frame and of a row's payload; the first of each is the one in use.
OF_A_FRAME: Final[dict[str, Encoder]] = {
    "pydantic_core, in use": to_json,
    "json": lambda value: _WIDE.encode(value).encode(),
}
OF_A_ROW: Final[dict[str, Encoder]] = {
    "json.dumps, in use": json.dumps,
    "json, one encoder": _COMPACT.encode,
    "pydantic_core": to_json,
}
ORJSON: Final = "orjson"


def objects() -> dict[str, tuple[Json, dict[str, Encoder]]]:
    """Return the encoded object of each case, and the encoders that take turns on it."""
    head = {"v": 1, "type": "block_delta", "sessionId": "0" * 32, "seq": 41, "ts": "2026-01-01Z"}
    delta = {"messageId": "m" * 32, "blockId": "b" * 32, "delta": "a few words of the answer, "}
    content = delta["delta"] * 150
    answer = {"messageId": "m" * 32, "blockId": "b" * 32, "content": content, "html": content}
    return {
        "frame of a delta": ({**head, **delta}, with_orjson(OF_A_FRAME)),
        "frame of an answer of 4,000 characters": ({**head, **answer}, with_orjson(OF_A_FRAME)),
        "row of a delta": (delta, with_orjson(OF_A_ROW)),
        "row of an answer of 4,000 characters": (answer, with_orjson(OF_A_ROW)),
    }


def with_orjson(encoders: dict[str, Encoder]) -> dict[str, Encoder]:
    """Return encoders, and orjson where a person has installed it: the project does not."""
    try:
        return {**encoders, ORJSON: importlib.import_module(ORJSON).dumps}
    except ImportError:
        return encoders


def measure(value: Json, encode: Encoder, sizes: Sizes) -> dict[str, Value]:
    """Return the CPU µs of encoding a value, and its bytes."""
    # The first call may import and cache.
    encoded = encode(value)
    began = time.process_time()
    for _ in range(sizes.encodings):
        encode(value)
    took_s = time.process_time() - began
    size = len(encoded.encode() if isinstance(encoded, str) else encoded)
    return {"cpu_us_each": took_s * 1e6 / sizes.encodings, "bytes": size}
