package io.trainwatch.monitor.config;

import java.util.Set;
import java.util.stream.Collectors;

/** The variables of the environment that the configuration reads. */
public final class EnvironmentNames {
    private EnvironmentNames() {}

    public static Set<String> all() {
        return Configuration.keys().stream()
                .map(SettingValues::environmentName)
                .collect(Collectors.toUnmodifiableSet());
    }
}
