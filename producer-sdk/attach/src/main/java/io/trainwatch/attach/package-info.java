/**
 * Reads the logs that training jobs already write: one {@link io.trainwatch.attach.LogFormat} per format, found by {@link
 * io.trainwatch.attach.LogFormats}.
 */
@NullMarked
package io.trainwatch.attach;

import org.jspecify.annotations.NullMarked;
