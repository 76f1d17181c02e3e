// Debezium's own engine, with the properties in the file that is its argument, and behind it what a worker of Kafka Connect
// does with a record: the converters that the properties name make bytes of it, and a producer sends these. For tests: in an
// installation Kafka Connect or Debezium Server runs the same connector with the same properties.
//
//   java -cp 'LIBRARIES/*' scripts/kafka/OutboxRouter.java FILE.properties      runs until SIGTERM
import io.debezium.embedded.Connect;
import io.debezium.engine.ChangeEvent;
import io.debezium.engine.DebeziumEngine;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.connect.header.Header;
import org.apache.kafka.connect.source.SourceRecord;
import org.apache.kafka.connect.storage.Converter;
import org.apache.kafka.connect.storage.HeaderConverter;
import org.apache.kafka.connect.storage.SimpleHeaderConverter;

public final class OutboxRouter {
  private final Converter keys;
  private final Converter values;
  private final HeaderConverter headers = new SimpleHeaderConverter();
  private final KafkaProducer<byte[], byte[]> producer;

  private OutboxRouter(Properties settings) throws ReflectiveOperationException {
    keys = converter(settings.getProperty("key.converter"), true);
    values = converter(settings.getProperty("value.converter"), false);
    headers.configure(Map.of());
    producer =
        new KafkaProducer<>(
            Map.of("bootstrap.servers", settings.getProperty("bootstrap.servers"), "acks", "all"),
            new ByteArraySerializer(),
            new ByteArraySerializer());
  }

  private static Converter converter(String name, boolean isKey) throws ReflectiveOperationException {
    var made = (Converter) Class.forName(name).getDeclaredConstructor().newInstance();
    made.configure(Map.of(), isKey);
    return made;
  }

  private ProducerRecord<byte[], byte[]> message(SourceRecord record) {
    var topic = record.topic();
    var written = new RecordHeaders();
    for (Header header : record.headers())
      written.add(header.key(), headers.fromConnectHeader(topic, header.key(), header.schema(), header.value()));
    return new ProducerRecord<>(
        topic,
        record.kafkaPartition(),
        record.timestamp(),
        keys.fromConnectData(topic, record.keySchema(), record.key()),
        values.fromConnectData(topic, record.valueSchema(), record.value()),
        written);
  }

  private void send(
      List<ChangeEvent<SourceRecord, SourceRecord>> events,
      DebeziumEngine.RecordCommitter<ChangeEvent<SourceRecord, SourceRecord>> committer)
      throws InterruptedException {
    var sent = new ArrayList<Future<?>>();
    for (var event : events) sent.add(producer.send(message(event.value())));
    try {
      for (var future : sent) future.get();
    } catch (java.util.concurrent.ExecutionException failure) {
      throw new IllegalStateException(failure.getCause());
    }
    for (var event : events) committer.markProcessed(event);
    committer.markBatchFinished();
  }

  public static void main(String[] arguments) throws Exception {
    var settings = new Properties();
    try (var file = Files.newBufferedReader(Path.of(arguments[0]))) {
      settings.load(file);
    }
    var router = new OutboxRouter(settings);
    var engine =
        DebeziumEngine.create(Connect.class)
            .using(settings)
            .using(
                (isDone, message, error) -> {
                  if (isDone) return;
                  System.err.println(message);
                  if (error != null) error.printStackTrace();
                  Runtime.getRuntime().halt(1);
                })
            .notifying(router::send)
            .build();
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  try {
                    engine.close();
                  } catch (java.io.IOException failure) {
                    failure.printStackTrace();
                  }
                }));
    engine.run();
  }
}
