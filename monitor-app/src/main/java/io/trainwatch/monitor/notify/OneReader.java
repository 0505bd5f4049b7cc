package io.trainwatch.monitor.notify;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor;
import org.apache.kafka.common.Cluster;
import org.apache.kafka.common.TopicPartition;

/**
 * Gives all partitions to one member of a group; the others stand by. Alerts are few, and who reads all of them sees that
 * a fleet fails, and how many pages a sink was sent.
 */
public final class OneReader implements ConsumerPartitionAssignor {
    /** The name in the group protocol. */
    @Override
    public String name() {
        return "trainwatch-one-reader";
    }

    @Override
    public GroupAssignment assign(Cluster metadata, GroupSubscription subscriptions) {
        Map<String, Subscription> members = subscriptions.groupSubscription();
        String reader = members.keySet().stream().sorted().findFirst().orElse("");
        Map<String, Assignment> assignments = new HashMap<>();
        members.forEach((member, subscription) -> {
            List<TopicPartition> partitions = new ArrayList<>();
            if (member.equals(reader)) {
                for (String topic : subscription.topics()) {
                    metadata.partitionsForTopic(topic)
                            .forEach(info -> partitions.add(new TopicPartition(topic, info.partition())));
                }
            }
            assignments.put(member, new Assignment(partitions));
        });
        return new GroupAssignment(assignments);
    }
}
