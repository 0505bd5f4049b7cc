#!/usr/bin/env bash
# run.sh [DETECTOR...]: breaks the rule of each detector and prints which test sees it. Needs the module compiled with its tests.
set -euo pipefail
cd "$(dirname "$0")/../../.."
../mvnw -q -f .. -pl monitor-app -am -DskipTests test-compile
../mvnw -q dependency:build-classpath -Dmdep.outputFile=target/mutations.classpath
../mvnw -q dependency:copy -Dartifact=org.junit.platform:junit-platform-console-standalone:6.1.3 -DoutputDirectory=target
exec java -cp "$(cat target/mutations.classpath):target/junit-platform-console-standalone-6.1.3.jar" \
  src/evaluation/mutations/Mutations.java target/classes:target/test-classes "$@"
