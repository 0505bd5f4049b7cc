package io.trainwatch.monitor.notify;

import static org.assertj.core.api.Assertions.assertThat;

import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshot;
import java.util.List;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

class NotifyMetricsTest {

    @Test
    void a_notifier_without_sinks_shows_its_commands_and_approvals_at_zero() {
        PrometheusRegistry registry = new PrometheusRegistry();
        registry.register(new NotifyMetrics(new NotifyCounters(), List.of()));

        assertThat(registry.scrape().stream()
                        .map(of -> of.getMetadata().getName())
                        .collect(Collectors.toSet()))
                .containsExactlyInAnyOrder("trainwatch_commands", "trainwatch_approvals");
    }

    @Test
    void a_sink_shows_every_series_from_the_start_so_that_a_first_page_is_an_increase() {
        PrometheusRegistry registry = new PrometheusRegistry();
        registry.register(SampleNotifyMetrics.oneTold());

        MetricSnapshot pages = registry.scrape().stream()
                .filter(of -> of.getMetadata().getName().equals("trainwatch_notify_pages"))
                .findFirst()
                .orElseThrow();
        assertThat(pages.getDataPoints()).hasSize(4);
        assertThat(registry.scrape().stream().map(of -> of.getMetadata().getName()))
                .contains("trainwatch_notify_lag_seconds");
    }
}
