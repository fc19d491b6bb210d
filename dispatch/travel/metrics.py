"""What is counted about travel times."""

from prometheus_client import Counter, Gauge, Histogram

ANSWERS = Counter("postrider_travel_answers_total", "Travel times handed out, by source", ["source"])
REQUESTS = Counter("postrider_travel_requests_total", "Requests to maps APIs", ["engine", "outcome"])
REQUEST_SECONDS = Histogram(
    "postrider_travel_request_seconds",
    "Time of one request to a maps API, retries not included",
    ["engine"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
CACHE_PAIRS = Counter("postrider_travel_cache_pairs_total", "Pairs looked up in a cache", ["tier", "result"])
BREAKER_OPEN = Gauge(
    "postrider_travel_breaker_open",
    "1 while a maps API is left alone after failures",
    ["engine"],
    multiprocess_mode="livemax",
)
SPENT = Counter(
    "postrider_travel_spent_total", "What requests to a maps API cost, by the price that is set", ["engine"]
)
