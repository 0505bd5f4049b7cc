/** What can be typed of it: the commands that the agent and the monitor share, and the agent's program. */
@NullMarked
package io.trainwatch.attach.cli;

import org.jspecify.annotations.NullMarked;
