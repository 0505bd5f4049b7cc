package io.trainwatch.codec;

import static org.assertj.core.api.Assertions.assertThat;

import io.trainwatch.alert.Alert;
import io.trainwatch.alert.AlertState;
import io.trainwatch.alert.Evidence;
import io.trainwatch.alert.Severity;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RecordJsonTest {
    @Test
    void an_alert_is_one_object_without_its_absent_fields() {
        Evidence evidence = new Evidence();
        evidence.setSignal("loss");
        evidence.setValue(Double.NaN);
        Alert alert = new Alert();
        alert.setAlertId("a1");
        alert.setRunId("r\"1\n");
        alert.setDetector("non_finite_loss");
        alert.setSeverity(Severity.critical);
        alert.setState(AlertState.firing);
        alert.setScope("");
        alert.setMessage("loss is NaN");
        alert.setEvidence(List.of(evidence));
        alert.setCauses(List.of());
        alert.setConfigVersion("c1");
        alert.setLabels(Map.of());

        assertThat(RecordJson.write(alert)).isEqualTo("""
                        {"alert_id":"a1","run_id":"r\\"1\\n","attempt":0,"detector":"non_finite_loss",\
                        "severity":"critical","state":"firing","scope":"","opened_at_ms":0,"changed_at_ms":0,\
                        "message":"loss is NaN","evidence":[{"signal":"loss","value":"NaN"}],"causes":[],\
                        "config_version":"c1","historical":false,"labels":{}}""");
    }
}
