/** HTTP: metrics, health, the read part of the API, and the live page. */
package io.trainwatch.monitor.web;
