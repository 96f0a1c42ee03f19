"""River's half-space trees behind a Kafka client: a tree ensemble and its scaling a stream, scores
to a topic. Usage: river_app.py BROKER IN OUT [FILE], which receives the bytes of a stream's state."""

import json
import pickle
import signal
import sys

from confluent_kafka import Consumer, Producer
from river import anomaly, compose, preprocessing

broker, source, target = sys.argv[1:4]
stop = []
signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
consumer = Consumer({"bootstrap.servers": broker, "group.id": "river", "auto.offset.reset": "earliest", "enable.auto.commit": False})
consumer.subscribe([source])
producer = Producer({"bootstrap.servers": broker, "linger.ms": 5, "queue.buffering.max.messages": 1_000_000})
models = {}
while not stop:
    batch = consumer.consume(1000, 0.2)
    for m in batch:
        e = json.loads(m.value())
        stream, x = e["stream"], {"value": e["value"]}
        model = models.get(stream)
        if model is None:
            model = models[stream] = compose.Pipeline(preprocessing.MinMaxScaler(), anomaly.HalfSpaceTrees(n_trees=25, height=8, window_size=250, seed=1))
        score = model.score_one(x)
        model.learn_one(x)
        out = json.dumps({"stream": stream, "ts": e["ts"], "value": e["value"], "anomaly_score": score})
        producer.produce(target, out, m.key(), partition=m.partition())
        producer.poll(0)
    if batch:
        producer.flush()
        consumer.commit(asynchronous=True)
        if len(sys.argv) > 4:
            with open(sys.argv[4], "w") as f:
                f.write(f"{len(pickle.dumps(model)):,} (pickled)")
consumer.close()
