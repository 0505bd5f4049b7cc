"""Produces events to Kafka with confluent-kafka, keyed by run, acknowledged by all in-sync replicas, in order.

The client never gives up (no message timeout): what it has taken stays in order through every outage. It is made on a
thread of its own, which then waits for its acknowledgements; another reads the commands for this run.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Dict, Optional, Sequence

from trainwatch.command import read_command
from trainwatch.internal.avro import Codec, UndecodableError
from trainwatch.internal.events import MAX_EVENT_BYTES
from trainwatch.internal.location import Kafka
from trainwatch.internal.log import log
from trainwatch.internal.transports import OnCommands

_CONNECT_RETRY = 2.0
_POLL = 0.05

#: The client tells of every broker that it does not reach, again and again; the sender says so once.
_quiet = logging.getLogger("trainwatch.kafka")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False


class KafkaTransport:
    """The sender produces; what has become of it counts in the thread of the client."""

    takes_json = False

    def __init__(self, location: Kafka, run_id: str, on_commands: OnCommands) -> None:
        self._location = location
        self._run_id = run_id
        self._on_commands = on_commands
        self._producer: Any = None
        self._closed = threading.Event()
        self._said = False
        self.settled = 0
        self.rejected = 0
        threading.Thread(target=self._work, name="trainwatch-kafka", daemon=True).start()
        threading.Thread(target=self._listen, name="trainwatch-commands", daemon=True).start()

    def is_ready(self) -> bool:
        """Whether it pays to offer something."""
        return self._producer is not None and not self._closed.is_set()

    def offer(self, events: Sequence[bytes]) -> int:
        """Produces until the client's queue is full."""
        producer = self._producer
        if producer is None or self._closed.is_set():
            return 0
        taken = 0
        for event in events:
            try:
                producer.produce(self._location.topic, event, self._run_id, on_delivery=self._on_delivery)
            except BufferError:
                break
            taken += 1
        return taken

    def _on_delivery(self, error: Any, message: Any) -> None:
        if error is not None:
            self.rejected += 1
            if not self._said:
                self._said = True
                log.warning("Kafka refuses events for good: %s", error)
        self.settled += 1

    def close(self) -> None:
        """Lets go of the client; it drops what it holds."""
        self._closed.set()
        self._producer = None

    def _work(self) -> None:
        """Makes the client, then waits for what becomes of the events."""
        said = False
        while self._producer is None and not self._closed.is_set():
            try:
                import confluent_kafka

                self._producer = confluent_kafka.Producer(self._settings(), logger=_quiet)
            except Exception as e:
                if not said:
                    said = True
                    remedy = "; pip install 'trainwatch[kafka]'" if isinstance(e, ImportError) else ""
                    log.warning("no Kafka client yet, trying again every %d s: %s%s", _CONNECT_RETRY, e, remedy)
                self._closed.wait(_CONNECT_RETRY)
        producer = self._producer
        while producer is not None and not self._closed.is_set():
            producer.poll(_POLL)
        if producer is not None:
            producer.purge()  # else it says on standard error what the spool keeps anyway

    def _listen(self) -> None:
        """Reads the commands."""
        while self._producer is None and not self._closed.wait(_POLL):
            pass
        if not self._closed.is_set():
            try:
                self._read_commands()
            except Exception as e:
                log.info("run %s gets no commands over Kafka: %s", self._run_id, e)

    def _settings(self) -> Dict[str, Any]:
        return {
            "client.id": "trainwatch",
            "linger.ms": 5,
            "reconnect.backoff.max.ms": 2_000,
            **self._location.client,
            # What the order and the bounds rest on is not for users to set.
            "bootstrap.servers": self._location.servers,
            "acks": "all",
            "max.in.flight": 1,
            "retries": 2_147_483_647,
            "message.timeout.ms": 0,
            "message.max.bytes": 2 * MAX_EVENT_BYTES,
            "queue.buffering.max.messages": 10_000,
            "queue.buffering.max.kbytes": 16_384,
            # As Java's client: a run whose ranks are of both languages is still one ordered stream.
            "partitioner": "murmur2_random",
        }

    def _read_commands(self) -> None:
        import confluent_kafka

        topic = self._location.topic
        topic = (topic[: -len(".events")] if topic.endswith(".events") else "trainwatch") + ".commands"
        consumer = confluent_kafka.Consumer(
            {
                **self._location.client,
                "bootstrap.servers": self._location.servers,
                "group.id": "trainwatch-" + self._run_id,
                "enable.auto.commit": False,
                "allow.auto.create.topics": False,
            },
            logger=_quiet,
        )
        codec = Codec.of("Command")
        try:
            assigned = False
            while not self._closed.is_set():
                if not assigned:
                    partitions = _partitions(consumer, topic)
                    if not partitions:
                        self._closed.wait(10.0)
                        continue
                    consumer.assign(
                        [
                            confluent_kafka.TopicPartition(topic, partition, confluent_kafka.OFFSET_BEGINNING)
                            for partition in partitions
                        ]
                    )
                    assigned = True
                message = consumer.poll(1.0)
                if message is None or message.error() or message.key() != self._run_id.encode("utf-8"):
                    continue
                command = self._decode(codec, message.value())
                if command is not None:
                    self._on_commands([command])
        finally:
            consumer.close()

    def _decode(self, codec: Codec, data: Optional[bytes]) -> Any:
        try:
            return read_command(codec.decode(data)) if data else None
        except UndecodableError as e:
            log.info("a command for run %s cannot be read: %s", self._run_id, e)
            return None


def _partitions(consumer: Any, topic: str) -> Sequence[int]:
    try:
        told = consumer.list_topics(topic, timeout=10).topics.get(topic)
    except Exception as e:
        log.debug("no list of topics: %s", e)
        time.sleep(0.1)
        return ()
    return () if told is None or told.error is not None else sorted(told.partitions)
