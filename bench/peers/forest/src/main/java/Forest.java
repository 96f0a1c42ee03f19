import com.amazon.randomcutforest.RandomCutForest;
import com.amazon.randomcutforest.state.RandomCutForestMapper;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.ByteArrayOutputStream;
import java.io.ObjectOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * Scores each stream with its own random cut forest: 30 trees, shingles of 8. Forests live on the
 * heap; each second those that changed are written to the state store, which has a changelog, so
 * that they survive the process. Usage: Forest BROKER IN OUT [FILE for the bytes of a stream].
 */
public class Forest {
  static final ObjectMapper JSON = new ObjectMapper();
  static Path sizes;

  public static void main(String[] args) throws Exception {
    sizes = args.length > 3 ? Path.of(args[3]) : null;
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, "forest");
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
    p.put(StreamsConfig.STATE_DIR_CONFIG, Files.createTempDirectory("forest").toString());
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 1000);
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2);
    p.put("auto.offset.reset", "earliest");
    p.put("producer.max.request.size", 16 << 20);
    Topology t = new Topology();
    t.addSource("in", Serdes.String().deserializer(), Serdes.ByteArray().deserializer(), args[1])
        .addProcessor("score", Scorer::new, "in")
        .addStateStore(Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore("forests"), Serdes.String(), Serdes.ByteArray())
            .withLoggingEnabled(Map.of("max.message.bytes", "16777216")), "score")
        .addSink("out", args[2], Serdes.String().serializer(), Serdes.ByteArray().serializer(), "score");
    KafkaStreams streams = new KafkaStreams(t, p);
    Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(Duration.ofSeconds(20))));
    streams.start();
  }

  static class Scorer implements Processor<String, byte[], String, byte[]> {
    final Map<String, RandomCutForest> forests = new HashMap<>();
    final Set<String> changed = new HashSet<>();
    ProcessorContext<String, byte[]> context;
    KeyValueStore<String, byte[]> store;

    @Override
    public void init(ProcessorContext<String, byte[]> context) {
      this.context = context;
      store = context.getStateStore("forests");
      context.schedule(Duration.ofSeconds(1), PunctuationType.WALL_CLOCK_TIME, at -> save());
    }

    @Override
    public void process(Record<String, byte[]> record) {
      try {
        JsonNode event = JSON.readTree(record.value());
        String stream = event.get("stream").asText();
        RandomCutForest forest = forests.computeIfAbsent(stream, s -> RandomCutForest.builder().dimensions(8).shingleSize(8)
            .internalShinglingEnabled(true).numberOfTrees(30).sampleSize(256).randomSeed(1).compact(true).build());
        double[] x = {event.get("value").asDouble()};
        double score = forest.getAnomalyScore(x);
        forest.update(x);
        changed.add(stream);
        ObjectNode out = ((ObjectNode) event).put("anomaly_score", score);
        context.forward(record.withValue(JSON.writeValueAsBytes(out)));
      } catch (java.io.IOException e) {
        System.err.println("not an event: " + e.getMessage());
      }
    }

    void save() {
      RandomCutForestMapper mapper = new RandomCutForestMapper();
      mapper.setSaveExecutorContextEnabled(true);
      try {
        byte[] last = null;
        for (String stream : changed) {
          ByteArrayOutputStream bytes = new ByteArrayOutputStream();
          try (ObjectOutputStream o = new ObjectOutputStream(bytes)) {
            o.writeObject(mapper.toState(forests.get(stream)));
          }
          store.put(stream, last = bytes.toByteArray());
        }
        if (last != null && sizes != null) {
          Files.writeString(sizes, String.format("%,d (state store)", last.length));
        }
        changed.clear();
      } catch (java.io.IOException e) {
        throw new java.io.UncheckedIOException(e);
      }
    }
  }
}
