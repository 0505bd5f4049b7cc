/** How well the judgement does on labelled logs, beside well-known rules on the same logs. */
@NullMarked
package io.trainwatch.monitor.evaluate;

import org.jspecify.annotations.NullMarked;
