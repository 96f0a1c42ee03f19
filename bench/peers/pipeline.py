"""The whole way of an event on a real Kafka and Redis, for Weir and for what else does this job:
a Kafka Streams application with randomcutforest-core (Java), and River's half-space trees behind
a Kafka client (Python). Same topic, same events, JSON in and out; prints events a CPU-second of
the process, with and without its start and Redis's CPU, and bytes of state a stream. Then, for Weir
alone: time to ready, latency at fixed rates, and what checkpoints write to Redis.

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
import urllib.error
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
        self.watcher = Consumer({"bootstrap.servers": self.kafka, "group.id": "bench-ends"})
        return self

    def __exit__(self, *_):
        self.watcher.close()
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
            return self.reply(s.makefile("rb"))

    def reply(self, f):
        kind, rest = (line := f.readline())[:1], line[1:]
        if kind == b"*":
            return [self.reply(f) for _ in range(int(rest))]
        if kind == b"$":
            data = f.read(int(rest) + 2)[:-2]
            return data.decode(errors="replace")
        if kind == b":":
            return int(rest)
        raise RuntimeError(f"Redis: {line!r}")

    def keys(self, pattern):
        cursor = "0"
        while True:
            cursor, found = self.ask_redis("SCAN", cursor, "MATCH", pattern, "COUNT", "1000")
            yield from found
            if cursor == "0":
                return

    def redis_info(self, field):
        for line in self.ask_redis("INFO", "all").splitlines():
            if line.startswith(field + ":"):
                return float(line.split(":")[1])
        raise KeyError(field)

    def redis_cpu(self):
        return self.redis_info("used_cpu_user") + self.redis_info("used_cpu_sys")

    def ends(self, topic):
        """The sum of a topic's end offsets: its records, and a marker or two a partition where a
        contender writes in transactions or, as Weir, takes its producer's epoch with an empty one."""
        return sum(self.watcher.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in range(PARTITIONS))


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
    began, redis = time.time(), servers.redis_cpu()
    start, done = (0, 0.0, redis, began), 0
    try:
        while done < total and time.time() - began < limit:
            time.sleep(0.2)
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended:\n{open(log).read()[-2000:]}")
            done, now = servers.ends(out_topic), (cpu_seconds(process.pid), servers.redis_cpu(), time.time())
            if not start[0] and total / 4 <= done < total:
                start = (done, *now)
        events = done - start[0]
        return {"events": events, "cpu": now[0] - start[1], "redis": now[1] - start[2], "wall": now[2] - start[3],
                "rss": resident_mb(process.pid), "all": done / now[0], "all with redis": done / (now[0] + now[1] - redis)}
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
    print(f"| {name} | {events:,} | {rate:,.0f} | {took['all']:,.0f} | {events / (took['cpu'] + took['redis']):,.0f} "
          f"| {took['all with redis']:,.0f} | {events / took['wall']:,.0f} | {took['rss']:,.0f} | {state} |", flush=True)
    return rate


def start_weir(servers, binary, topic):
    """A Weir of its own group on a new topic, and the milliseconds until it called itself ready."""
    servers.make_topics(topic, topic + ".scores", topic + ".dlq")
    began = time.time()
    process = subprocess.Popen(weir_command(servers, binary, topic, topic, topic + ".scores"))
    while True:
        try:
            urllib.request.urlopen("http://127.0.0.1:18490/readyz", timeout=1)
            return process, 1000 * (time.time() - began)
        except (urllib.error.URLError, ConnectionError):  # not listening, or 503
            time.sleep(0.005)


def stop(process):
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def starts(servers, binary, times=5):
    took = []
    for i in range(times):
        process, ms = start_weir(servers, binary, f"start-{i}")
        stop(process)
        took.append(ms)
    print(f"\nready after {', '.join(f'{ms:.0f}' for ms in took)} ms; binary {os.path.getsize(binary) / 1e6:.1f} MB", flush=True)


def paced(servers, binary, rate, streams, seconds):
    """Weir at a rate: its latency, its CPU and Redis's, and the bytes that checkpoints write."""
    topic, total = f"paced-{streams}-{rate}", rate * seconds
    ready_made = [event(s, n) for n in range(-(-total // streams)) for s in range(streams)][:total]
    process, _ = start_weir(servers, binary, topic)
    before = servers.redis_info("total_net_input_bytes"), cpu_seconds(process.pid), servers.redis_cpu()
    took = send(servers, topic, rate, ready_made)
    while servers.ends(topic + ".scores") < total:
        time.sleep(0.2)
    time.sleep(2)  # one more checkpoint
    written, cpu, redis = (b - a for a, b in zip(before, (
        servers.redis_info("total_net_input_bytes"), cpu_seconds(process.pid), servers.redis_cpu())))
    stop(process)
    print(f"\n{streams:,} streams, {total:,} events at {total / took:,.0f} a second ({rate:,} wanted); load average {os.getloadavg()[0]:.1f}")
    print(waits(appended(servers, topic), appended(servers, topic + ".scores")))
    print(f"CPU: weir {cpu:.1f} s, Redis {redis:.1f} s: {total / cpu:,.0f} events/CPU-s, {total / (cpu + redis):,.0f} with Redis")
    key = next(k for k in servers.keys(topic + ":*:s:*"))
    record = servers.ask_redis("STRLEN", key)
    print(f"Redis received {written / total:,.0f} bytes an event; one write an event of {record:,} bytes is "
          f"{record * total / written:.1f} times that", flush=True)


def send(servers, topic, rate, events):
    """Sends events at a rate, as far as the machine lets it; returns the seconds it took."""
    producer = Producer({"bootstrap.servers": servers.kafka, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
    sent, began = 0, time.time()
    while sent < len(events):
        due = min(len(events), int((time.time() - began) * rate))
        while sent < due:
            produce(producer, topic, *events[sent])
            sent += 1
        producer.poll(0)
        time.sleep(0.001)
    producer.flush()
    return time.time() - began


def waits(events, scores, warm_ms=2_000):
    """Quantiles of the milliseconds from the append of an event to that of its score, in all and
    without the events of the first seconds, which are each stream's first and wait for the group."""
    if [(p, k) for p, k, _ in events] != [(p, k) for p, k, _ in scores]:
        raise RuntimeError(f"{len(scores):,} scores do not answer {len(events):,} events one by one")
    first = min(t for _, _, t in events)
    everything = [(a[2], b[2] - a[2]) for a, b in zip(events, scores)]

    def of(name, ms):
        ms.sort()
        at = lambda q: ms[min(len(ms) - 1, int(q * len(ms)))]
        return f"append to append, {name}: p50 {at(.5)} ms, p90 {at(.9)} ms, p99 {at(.99)} ms, most {ms[-1]} ms"

    return of("all", [w for _, w in everything]) + "\n" + of(
        f"after {warm_ms / 1000:.0f} s", [w for t, w in everything if t - first >= warm_ms])


def appended(servers, topic):
    """Partition, key and time of append of all records, partition by partition in their order."""
    c = Consumer({"bootstrap.servers": servers.kafka, "group.id": "bench-times", "enable.auto.commit": False, "enable.partition.eof": True})
    c.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
    records, open_parts = [[] for _ in range(PARTITIONS)], set(range(PARTITIONS))
    while open_parts:  # offsets have gaps, where Kafka marks transactions: only the end says that all is read
        for m in c.consume(10_000, 1):
            if m.error() is None:
                records[m.partition()].append((m.partition(), m.key(), m.timestamp()[1]))
            elif m.error().code() == KafkaError._PARTITION_EOF:
                open_parts.discard(m.partition())
    c.close()
    return [r for part in records for r in part]


def forest_command(servers):
    here = ROOT / "bench/peers/forest"
    subprocess.run(["mvn", "-q", "-B", "-f", here / "pom.xml", "package", "dependency:copy-dependencies"], check=True)
    return ["java", "-cp", f"{here}/target/classes:{here}/target/dependency/*", "Forest", servers.kafka, "events", "events.forest"]


def main():
    alone = "weir" in sys.argv[1:]
    streams, each = (10_000, 100) if alone else (500, 400)
    total = streams * each
    with tempfile.TemporaryDirectory() as tmp, Servers(tmp) as servers:
        binary = os.path.join(tmp, "weir")
        subprocess.run(["go", "build", "-trimpath", "-ldflags=-s -w", "-o", binary, "."], cwd=ROOT, check=True,
                       env=dict(os.environ, CGO_ENABLED="0"))
        servers.make_topics("events", "events.dlq", "events.scores", "events.river", "events.forest")
        fill(servers, "events", streams, each)
        print(f"{streams:,} streams, {PARTITIONS} partitions, {total:,} events\n")
        print("| | events counted | events/CPU-s | with its start | with Redis's CPU | both | events/s | resident MB | bytes a stream |")
        print("|---|---|---|---|---|---|---|---|---|", flush=True)
        empty = servers.redis_info("used_memory")
        took = drain(servers, "weir", weir_command(servers, binary, "bench", "events", "events.scores"), "events.scores", total)
        weir = report("weir run", took, f"{(servers.redis_info('used_memory') - empty) / streams:,.0f} (Redis)")
        if alone:
            starts(servers, binary)
            paced(servers, binary, 10_000, 1_000, 10)
            paced(servers, binary, 10_000, 10_000, 10)
            paced(servers, binary, 100_000, 10_000, 8)
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
