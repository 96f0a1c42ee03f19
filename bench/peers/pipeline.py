"""The whole way of an event on a real Kafka and Redis, for Weir and for what else does this job:
a Kafka Streams application with randomcutforest-core (Java), and River's half-space trees behind
a Kafka client (Python). Same topic, same events, JSON in and out; prints events a CPU-second of
the process, start-up included, and bytes of state a stream. Then, for Weir alone: time to ready,
latency at a fixed rate, and what a checkpoint writes to Redis.

    python3 -m venv /tmp/peers && . /tmp/peers/bin/activate
    pip install confluent-kafka river
    python bench/peers/pipeline.py            # everything; needs Go, Java 17 and Maven
    python bench/peers/pipeline.py weir       # Weir alone, more events, and the latency

SECONDS_EACH (120) bounds each contender's time. It starts a broker and a Redis of its own on loopback and stops them. Latency is the broker's time
of append of a score less that of its event, so the machine's clock is the only one.
"""

import json
import math
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zlib

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PARTITIONS = 8
HERTZ = os.sysconf("SC_CLK_TCK")


class Servers:
    """A broker and a Redis on loopback, for as long as a with block takes."""

    def __init__(self, tmp):
        self.kafka_dir, self.redis_dir = os.path.join(tmp, "kafka"), os.path.join(tmp, "redis")

    def __enter__(self):
        self.kafka = self.call("kafka.sh", "start", self.kafka_dir)
        self.redis = self.call("redis.sh", "start", self.redis_dir)
        self.admin = AdminClient({"bootstrap.servers": self.kafka})
        return self

    def __exit__(self, *_):
        self.call("kafka.sh", "stop", self.kafka_dir)
        self.call("redis.sh", "stop", self.redis_dir)

    def call(self, script, *args):
        out = subprocess.run(["bash", ROOT / ".ci" / script, *args], check=True, capture_output=True, text=True)
        return out.stdout.strip()

    def make_topics(self, *names):
        config = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
        for f in self.admin.create_topics([NewTopic(n, PARTITIONS, 1, config=config) for n in names]).values():
            f.result()
        time.sleep(1)  # until each partition has a leader

    def ask_redis(self, *words):
        host, port = self.redis.rsplit(":", 1)
        with socket.create_connection((host, int(port))) as s:
            s.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w.encode()) for w in words))
            head, data = b"", b""
            f = s.makefile("rb")
            head = f.readline()
            if head[:1] == b":":
                return int(head[1:])
            if head[:1] == b"*":
                f.readline(), f.readline(), f.readline()  # SCAN's cursor and the count of keys
                head = f.readline()
            data = f.read(int(head[1:]))
            return data.decode(errors="replace")

    def redis_info(self, field):
        for line in self.ask_redis("INFO", "all").splitlines():
            if line.startswith(field + ":"):
                return float(line.split(":")[1])
        raise KeyError(field)


def event(stream, n):
    """Event n of a stream: a daily curve with noise, a minute apart."""
    rng = random.Random(stream * 1_000_003 + n)
    value = 50 + 20 * math.sin((n + 37 * stream) * 2 * math.pi / 1440) + rng.gauss(0, 2)
    name = f"host-{stream}/cpu"
    return name, b'{"stream":"%s","ts":%d,"value":%.3f}' % (name.encode(), 1_750_000_000_000 + 60_000 * n, value)


def produce(producer, topic, name, value):
    while True:
        try:
            producer.produce(topic, value, name, partition=zlib.crc32(name.encode()) % PARTITIONS)
            return
        except BufferError:
            producer.poll(0.1)


def fill(servers, topic, streams, each):
    producer = Producer({"bootstrap.servers": servers.kafka, "linger.ms": 50, "queue.buffering.max.messages": 1_000_000})
    for n in range(each):
        for s in range(streams):
            produce(producer, topic, *event(s, n))
        producer.poll(0)
    producer.flush()


def ends(servers, topic):
    c = Consumer({"bootstrap.servers": servers.kafka, "group.id": "bench-ends"})
    highs = [c.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(PARTITIONS)]
    c.close()
    return highs


def cpu_seconds(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / HERTZ


def resident_mb(pid):
    return next(int(l.split()[1]) for l in open(f"/proc/{pid}/status") if l.startswith("VmRSS")) / 1024


def drain(servers, name, command, out_topic, total, limit=float(os.environ.get("SECONDS_EACH", "120"))):
    """Runs a contender until it has written a score for each event, or its time is over. What it
    took is counted from a quarter of the events on, when its start is behind it."""
    log = f"{servers.kafka_dir}.{name}.log"
    process = subprocess.Popen(command, stderr=open(log, "wb"))
    began, start, done = time.time(), (0, 0.0, time.time()), 0
    try:
        while done < total and time.time() - began < limit:
            time.sleep(0.2)
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended:\n{open(log).read()[-2000:]}")
            done, now = sum(ends(servers, out_topic)), (cpu_seconds(process.pid), time.time())
            if not start[0] and total / 4 <= done < total:
                start = (done, *now)
        events = done - start[0]
        return {"events": events, "cpu": now[0] - start[1], "wall": now[1] - start[2], "rss": resident_mb(process.pid)}
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def weir_command(servers, binary, group, topic, out_topic, *more):
    settings = {
        "service.http.listen": "127.0.0.1:18490", "service.log.level": "warn", "kafka.brokers": servers.kafka,
        "kafka.group_id": group, "input.topics": topic, "output.scores.topic": out_topic, "output.dlq.topic": topic + ".dlq",
        "state.redis.url": f"redis://{servers.redis}", "state.redis.key_prefix": group + ":",
    }
    return [binary, "run"] + [w for k, v in settings.items() for w in ("--set", f"{k}={v}")] + list(more)


def report(name, took, state):
    events, rate = took["events"], took["events"] / took["cpu"]
    print(f"| {name} | {events:,} | {rate:,.0f} | {events / took['wall']:,.0f} | {took['rss']:,.0f} | {state} |", flush=True)
    return rate


def latency(servers, binary, rate=10_000, streams=1_000, seconds=10):
    """Weir's latency at a rate, with every stream ten events a second at the defaults, and the
    bytes that its checkpoints write to Redis."""
    servers.make_topics("paced", "paced.scores", "paced.dlq")
    began = time.time()
    process = subprocess.Popen(weir_command(servers, binary, "paced", "paced", "paced.scores"))
    while True:
        try:
            urllib.request.urlopen("http://127.0.0.1:18490/readyz", timeout=1)
            break
        except OSError:
            time.sleep(0.005)
    ready = time.time() - began
    producer = Producer({"bootstrap.servers": servers.kafka, "linger.ms": 0, "queue.buffering.max.messages": 1_000_000})
    sent, n, total = 0, 0, rate * seconds
    events = (event(s, n) for n in range(total // streams) for s in range(streams))
    ready_made = list(events)
    written, cpu, redis_cpu = servers.redis_info("total_net_input_bytes"), cpu_seconds(process.pid), servers.redis_info("used_cpu_user") + servers.redis_info("used_cpu_sys")
    began = time.time()
    while sent < total:
        due = min(total, int((time.time() - began) * rate))
        while sent < due:
            produce(producer, "paced", *ready_made[sent])
            sent += 1
        producer.poll(0)
        time.sleep(0.001)
    producer.flush()
    while sum(ends(servers, "paced.scores")) < total:
        time.sleep(0.2)
    time.sleep(2)  # one more checkpoint
    written = servers.redis_info("total_net_input_bytes") - written
    redis_cpu = servers.redis_info("used_cpu_user") + servers.redis_info("used_cpu_sys") - redis_cpu
    cpu = cpu_seconds(process.pid) - cpu
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    waits = sorted(b - a for a, b in zip(appended(servers, "paced"), appended(servers, "paced.scores")))
    late = waits[len(waits) // 20:]  # the first seconds are a stream's first events and the group's start
    at = lambda q: late[min(len(late) - 1, int(q * len(late)))]
    print(f"\nready after {1000 * ready:.0f} ms; binary {os.path.getsize(binary) / 1e6:.1f} MB")
    print(f"latency at {rate:,} events/s, {streams:,} streams: p50 {at(.5)} ms, p90 {at(.9)} ms, p99 {at(.99)} ms, most {late[-1]} ms; "
          f"CPU {cpu:.1f} s and Redis {redis_cpu:.1f} s of {seconds} s")
    key = servers.ask_redis("SCAN", "0", "MATCH", "paced:*cpu*", "COUNT", "100000")
    record = servers.ask_redis("STRLEN", key) or 0
    print(f"Redis received {written / total:,.0f} bytes an event; one write an event of {record:,} bytes is "
          f"{record * total / written:.1f} times that")


def appended(servers, topic):
    """The times of append of all records, partition by partition in their order."""
    c = Consumer({"bootstrap.servers": servers.kafka, "group.id": "bench-times", "enable.auto.commit": False, "enable.partition.eof": True})
    c.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    times, open_parts = [[] for _ in range(PARTITIONS)], set(range(PARTITIONS))
    while open_parts:  # offsets have gaps, where Kafka marks transactions: only the end says that all is read
        for m in c.consume(10_000, 1):
            if m.error() is None:
                times[m.partition()].append(m.timestamp()[1])
            elif m.error().code() == KafkaError._PARTITION_EOF:
                open_parts.discard(m.partition())
    c.close()
    return [t for part in times for t in part]


def forest_command(servers):
    here = ROOT / "bench/peers/forest"
    subprocess.run(["mvn", "-q", "-B", "-f", here / "pom.xml", "package", "dependency:copy-dependencies"], check=True)
    return ["java", "-cp", f"{here}/target/classes:{here}/target/dependency/*", "Forest", servers.kafka, "events", "events.forest"]


def main():
    alone = "weir" in sys.argv[1:]
    streams, each = (10_000, 60) if alone else (500, 400)
    total = streams * each
    with tempfile.TemporaryDirectory() as tmp, Servers(tmp) as servers:
        binary = os.path.join(tmp, "weir")
        subprocess.run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "."], cwd=ROOT, check=True,
                       env=dict(os.environ, CGO_ENABLED="0"))
        servers.make_topics("events", "events.dlq", "events.scores", "events.river", "events.forest")
        fill(servers, "events", streams, each)
        print(f"{streams:,} streams, {PARTITIONS} partitions, {total:,} events\n")
        print("| | events counted | events/CPU-s | events/s | resident MB | bytes a stream |\n|---|---|---|---|---|---|", flush=True)
        empty = servers.redis_info("used_memory")
        took = drain(servers, "weir", weir_command(servers, binary, "bench", "events", "events.scores"), "events.scores", total)
        weir = report("weir run", took, f"{(servers.redis_info('used_memory') - empty) / streams:,.0f} (Redis)")
        if alone:
            latency(servers, binary)
            return
        state, ratios = os.path.join(tmp, "bytes"), []
        for name, command in (
            ("river", [sys.executable, ROOT / "bench/peers/river_app.py", servers.kafka, "events", "events.river"]),
            ("forest", forest_command(servers)),
        ):
            took = drain(servers, name, command + [state], "events." + name, total)
            rate = report(name, took, open(state).read() if os.path.exists(state) else "–")
            ratios.append(f"weir scores {weir / rate:.0f} times the events of {name} in a CPU-second")
        print("\n" + "\n".join(ratios))


if __name__ == "__main__":
    main()
