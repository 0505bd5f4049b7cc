/**
 * Follows logs while their jobs write them: one {@link io.trainwatch.attach.follow.Attachment} per log, found and kept by an
 * {@link io.trainwatch.attach.follow.Agent}.
 */
@NullMarked
package io.trainwatch.attach.follow;

import org.jspecify.annotations.NullMarked;
