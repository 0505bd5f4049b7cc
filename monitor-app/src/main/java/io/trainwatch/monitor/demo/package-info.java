/**
 * Tiny real trainings with planted faults: a multi-layer perceptron with hand-written back-propagation, data made from a
 * seed, and the demonstration that lets the monitor judge them.
 */
package io.trainwatch.monitor.demo;
