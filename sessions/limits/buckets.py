"""Token buckets: so much at once, and so much in a minute, for each of many keys."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Final

MINUTE_S: Final = 60.0
# Past this the bucket that was used least recently is full again.
MAX_KEYS: Final = 20_000


@dataclass(slots=True)
class _Bucket:
    """The tokens that a bucket had at a time."""

    tokens: float
    at: float


class TokenBuckets:
    """Buckets that hold a minute's tokens and fill up within a minute. In memory, for one process.

    per_minute: asked at each take; 0: no limit.
    """

    def __init__(
        self,
        per_minute: Callable[[], float],
        *,
        clock: Callable[[], float] = time.monotonic,
        max_keys: int = MAX_KEYS,
    ) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._max_keys = max_keys
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def take(self, key: Hashable, tokens: float = 1.0) -> int:
        """Take tokens and return 0; where they are missing, return the seconds until they come."""
        rate = self._per_minute()
        if not rate:
            return 0
        bucket = self._filled(key, rate)
        if bucket.tokens < tokens:
            return max(1, math.ceil((tokens - bucket.tokens) * MINUTE_S / rate))
        bucket.tokens -= tokens
        return 0

    def has_any(self, key: Hashable) -> bool:
        """Return whether a bucket is not empty."""
        rate = self._per_minute()
        return not rate or self._filled(key, rate).tokens > 0

    def charge(self, key: Hashable, tokens: float) -> None:
        """Take tokens for work that is done, also where too few are left."""
        rate = self._per_minute()
        if rate:
            bucket = self._filled(key, rate)
            bucket.tokens = max(bucket.tokens - tokens, -rate)

    def give_back(self, key: Hashable, tokens: float = 1.0) -> None:
        """Return tokens that were taken."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.tokens += tokens

    def _filled(self, key: Hashable, rate: float) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(rate, now)
            if len(self._buckets) > self._max_keys:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.tokens = min(rate, bucket.tokens + (now - bucket.at) * rate / MINUTE_S)
        bucket.at = now
        return bucket
