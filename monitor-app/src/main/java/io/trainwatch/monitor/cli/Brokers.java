package io.trainwatch.monitor.cli;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.clients.ClientUtils;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.common.KafkaException;

/** Makes sure of a Kafka cluster before anything is started on it, so that its absence is one line and not a flood. */
final class Brokers {
    private static final int CONNECT_MS = 1_000;
    private static final int PAUSE_MS = 250;

    private Brokers() {}

    /**
     * Waits until a broker accepts connections and answers as Kafka.
     *
     * @param clientProperties settings of every Kafka client, e.g. {@code security.protocol}
     * @throws CommandFailedException if none does within {@code limit}; the message names the brokers and the reason
     */
    static void await(String bootstrapServers, Map<String, String> clientProperties, Duration limit)
            throws CommandFailedException, InterruptedException {
        long deadline = System.nanoTime() + limit.toNanos();
        List<InetSocketAddress> addresses = addresses(bootstrapServers);
        String reason = "no answer";
        while (true) {
            for (InetSocketAddress address : addresses) {
                try (Socket socket = new Socket()) {
                    socket.connect(address, CONNECT_MS);
                    askAsKafka(bootstrapServers, clientProperties, deadline, limit);
                    return;
                } catch (IOException e) {
                    reason = address.getHostString() + ":" + address.getPort() + ": "
                            + (e instanceof UnknownHostException ? "unknown host" : e.getMessage());
                }
            }
            if (System.nanoTime() - deadline > 0) {
                throw new CommandFailedException(unreachable(bootstrapServers, limit, reason));
            }
            Thread.sleep(PAUSE_MS);
        }
    }

    private static List<InetSocketAddress> addresses(String bootstrapServers) throws CommandFailedException {
        try {
            return ClientUtils.parseAndValidateAddresses(List.of(bootstrapServers.split(",", -1)), "use_all_dns_ips");
        } catch (KafkaException e) {
            throw new CommandFailedException(
                    "the brokers '" + bootstrapServers + "' cannot be used: " + e.getMessage()
                            + "; expected is host:port, several with commas",
                    e);
        }
    }

    private static void askAsKafka(
            String bootstrapServers, Map<String, String> clientProperties, long deadline, Duration limit)
            throws CommandFailedException, InterruptedException {
        Map<String, Object> properties = new HashMap<>(clientProperties);
        properties.put(AdminClientConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers);
        try (Admin admin = Admin.create(properties)) {
            long left = Math.max(deadline - System.nanoTime(), TimeUnit.SECONDS.toNanos(1));
            admin.describeCluster().clusterId().get(left, TimeUnit.NANOSECONDS);
        } catch (TimeoutException e) {
            throw new CommandFailedException(
                    unreachable(
                            bootstrapServers, limit, "something listens there and does not speak Kafka as configured"),
                    e);
        } catch (ExecutionException e) {
            throw new CommandFailedException(unreachable(bootstrapServers, limit, String.valueOf(e.getMessage())), e);
        } catch (KafkaException e) {
            throw new CommandFailedException("kafka.properties cannot be used: " + e.getMessage(), e);
        }
    }

    private static String unreachable(String bootstrapServers, Duration limit, String reason) {
        return "no Kafka broker answered at %s within %d s (%s): start it, or name another with --bootstrap-servers"
                .formatted(bootstrapServers, limit.toSeconds(), reason);
    }
}
