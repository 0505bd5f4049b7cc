/** How {@link io.trainwatch.sdk.TrainingRun} does it. Not part of the API: may change in any release. */
package io.trainwatch.sdk.internal;
