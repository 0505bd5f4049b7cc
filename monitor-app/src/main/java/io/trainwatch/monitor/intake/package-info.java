/** HTTP for those who do not speak Kafka: events as they are, MLflow's tracking API, OpenTelemetry metrics. */
package io.trainwatch.monitor.intake;
