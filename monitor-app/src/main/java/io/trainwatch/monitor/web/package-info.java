/** HTTP: metrics, health, the read part of the API and an index page. */
package io.trainwatch.monitor.web;
