/** Settings: one YAML file, environment variables and flags become immutable records, or one clear message. */
package io.trainwatch.monitor.config;
