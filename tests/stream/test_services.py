"""The servers that other tests rely on really run, and take part in a transaction or a wake."""

import psycopg
import redis


def test_postgres_gives_an_empty_database_to_each_test(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("SELECT * FROM pg_tables WHERE schemaname = 'public'")
        assert tables.fetchall() == []


def test_redis_carries_a_message(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client, client.pubsub() as listener:
        listener.subscribe("wake")
        assert listener.get_message(timeout=5)["type"] == "subscribe"
        assert client.publish("wake", "1") == 1
        assert listener.get_message(timeout=5)["data"] == b"1"
