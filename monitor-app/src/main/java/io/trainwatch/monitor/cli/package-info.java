/** The commands of the program. */
package io.trainwatch.monitor.cli;
