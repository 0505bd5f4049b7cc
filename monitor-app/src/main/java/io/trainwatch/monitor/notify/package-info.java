/** Tells people and trainers about alerts: what is an incident, who hears of it, when, in which words, and what may be done. */
package io.trainwatch.monitor.notify;
