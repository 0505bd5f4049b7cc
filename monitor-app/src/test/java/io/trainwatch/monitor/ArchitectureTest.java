package io.trainwatch.monitor;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;

import com.tngtech.archunit.core.domain.JavaClass.Predicates;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import java.time.Clock;
import java.time.Instant;
import java.time.InstantSource;

/** Dependencies point one way, and the judgement knows neither Kafka nor the time of day. */
@AnalyzeClasses(packages = "io.trainwatch.monitor", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    private static final String ROOT = "io.trainwatch.monitor.";
    private static final String[] JUDGEMENT = {
        ROOT + "stats..", ROOT + "run..", ROOT + "detect..", ROOT + "diagnose..", ROOT + "alert..", ROOT + "judge.."
    };

    @ArchTest
    static final ArchRule dependencies_point_one_way = layeredArchitecture()
            .consideringOnlyDependenciesInLayers()
            .withOptionalLayers(true)
            .layer("stats")
            .definedBy(ROOT + "stats..")
            .layer("run")
            .definedBy(ROOT + "run..")
            .layer("detect")
            .definedBy(ROOT + "detect..")
            .layer("diagnose")
            .definedBy(ROOT + "diagnose..")
            .layer("alert")
            .definedBy(ROOT + "alert..")
            .layer("judge")
            .definedBy(ROOT + "judge..")
            .layer("board")
            .definedBy(ROOT + "board..")
            .layer("topology")
            .definedBy(ROOT + "topology..")
            .layer("metrics")
            .definedBy(ROOT + "metrics..")
            .layer("web")
            .definedBy(ROOT + "web..")
            .layer("intake")
            .definedBy(ROOT + "intake..")
            .layer("notify")
            .definedBy(ROOT + "notify..")
            .layer("evaluate")
            .definedBy(ROOT + "evaluate..")
            .layer("config")
            .definedBy(ROOT + "config..")
            .layer("embedded")
            .definedBy(ROOT + "embedded..")
            .layer("demo")
            .definedBy(ROOT + "demo..")
            .layer("cli")
            .definedBy(ROOT + "cli..")
            .whereLayer("run")
            .mayOnlyAccessLayers("stats")
            .whereLayer("stats")
            .mayNotAccessAnyLayer()
            .whereLayer("detect")
            .mayOnlyAccessLayers("stats", "run")
            .whereLayer("diagnose")
            .mayOnlyAccessLayers("run", "detect")
            .whereLayer("alert")
            .mayOnlyAccessLayers("stats", "run", "detect", "diagnose")
            .whereLayer("judge")
            .mayOnlyAccessLayers("stats", "run", "detect", "alert")
            .whereLayer("evaluate")
            .mayOnlyAccessLayers("judge")
            .whereLayer("board")
            .mayOnlyAccessLayers("run", "judge")
            .whereLayer("topology")
            .mayOnlyAccessLayers("stats", "run", "judge", "board")
            .whereLayer("metrics")
            .mayOnlyAccessLayers("run", "detect", "judge", "board", "topology")
            .whereLayer("web")
            .mayOnlyAccessLayers("run", "judge", "board")
            .whereLayer("intake")
            .mayOnlyAccessLayers("run", "judge", "board", "metrics", "web")
            .whereLayer("notify")
            .mayOnlyAccessLayers("run", "detect", "judge", "board", "topology", "metrics", "web")
            .whereLayer("config")
            .mayOnlyAccessLayers("detect", "judge", "topology", "metrics", "web", "intake", "notify")
            .whereLayer("embedded")
            .mayNotAccessAnyLayer()
            .whereLayer("cli")
            .mayNotBeAccessedByAnyLayer()
            .whereLayer("demo")
            .mayOnlyBeAccessedByLayers("cli");

    @ArchTest
    static final ArchRule the_judgement_knows_neither_kafka_nor_metrics_nor_logs_nor_json = noClasses()
            .that()
            .resideInAnyPackage(JUDGEMENT)
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage(
                    "org.apache.kafka..",
                    "kafka..",
                    "io.micrometer..",
                    "io.prometheus..",
                    "org.slf4j..",
                    "com.fasterxml.jackson..");

    @ArchTest
    static final ArchRule the_judgement_reads_no_clock = noClasses()
            .that()
            .resideInAnyPackage(JUDGEMENT)
            .should()
            .callMethod(System.class, "currentTimeMillis")
            .orShould()
            .callMethod(System.class, "nanoTime")
            .orShould()
            .callMethod(Instant.class, "now")
            .orShould()
            .dependOnClassesThat()
            .areAssignableTo(Clock.class)
            .orShould()
            .dependOnClassesThat()
            .areAssignableTo(InstantSource.class);

    @ArchTest
    static final ArchRule only_the_embedded_broker_knows_the_inside_of_one = noClasses()
            .that()
            .resideOutsideOfPackage(ROOT + "embedded..")
            .should()
            .dependOnClassesThat(Predicates.resideInAnyPackage(
                    "kafka..", "org.apache.kafka.server..", "org.apache.kafka.metadata..", "org.apache.kafka.raft.."));
}
