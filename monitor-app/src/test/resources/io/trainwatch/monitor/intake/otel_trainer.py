"""A trainer that knows OpenTelemetry only: gauges, exported three times."""
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=3_600_000)
provider = MeterProvider(
    metric_readers=[reader], resource=Resource.create({"service.name": "trainer", "run.id": "by-otel"})
)
meter = provider.get_meter("train")
loss = meter.create_gauge("train.loss")
tokens = meter.create_counter("tokens_seen")
seconds = meter.create_histogram("step_time")
for value in (2.5, 2.25, float("nan")):
    loss.set(value)
    tokens.add(1024)
    seconds.record(0.5)
    assert provider.force_flush()
provider.shutdown()
