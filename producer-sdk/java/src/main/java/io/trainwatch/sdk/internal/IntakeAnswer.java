package io.trainwatch.sdk.internal;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import io.trainwatch.run.Command;
import io.trainwatch.run.CommandAction;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a monitor says to events that it was posted.
 *
 * @param rejected events that it refuses for good
 * @param detail why, of the first one; empty if there is none
 * @param commands what it asks runs to do, each with id, run, action, reason and expiry
 */
record IntakeAnswer(long rejected, String detail, List<Command> commands) {
    private static final JsonFactory JSON = new JsonFactory();

    /** Reads an answer; null if it is not that of a monitor. */
    static @Nullable IntakeAnswer read(byte[] body) {
        try (JsonParser in = JSON.createParser(body)) {
            if (in.nextToken() != JsonToken.START_OBJECT) {
                return null;
            }
            boolean ofMonitor = false;
            long rejected = 0;
            String detail = "";
            List<Command> commands = new ArrayList<>();
            for (String name = in.nextFieldName(); name != null; name = in.nextFieldName()) {
                in.nextToken();
                switch (name) {
                    case "accepted" -> ofMonitor = in.currentToken() == JsonToken.VALUE_NUMBER_INT;
                    case "rejected_total" -> rejected = Math.max(0, in.getValueAsLong());
                    case "detail" -> detail = String.valueOf(in.getValueAsString());
                    case "commands" -> readCommands(in, commands);
                    default -> in.skipChildren();
                }
            }
            return ofMonitor ? new IntakeAnswer(rejected, detail, commands) : null;
        } catch (IOException e) {
            return null;
        }
    }

    private static void readCommands(JsonParser in, List<Command> commands) throws IOException {
        if (in.currentToken() != JsonToken.START_ARRAY) {
            in.skipChildren();
            return;
        }
        while (in.nextToken() == JsonToken.START_OBJECT) {
            Command command = readCommand(in);
            if (command != null) {
                commands.add(command);
            }
        }
    }

    /** A command that a later monitor invented is none here. */
    private static @Nullable Command readCommand(JsonParser in) throws IOException {
        Command command = new Command();
        command.setReason("");
        command.setIssuedBy("");
        boolean known = false;
        for (String name = in.nextFieldName(); name != null; name = in.nextFieldName()) {
            in.nextToken();
            switch (name) {
                case "command_id" -> command.setCommandId(in.getValueAsString());
                case "run_id" -> command.setRunId(in.getValueAsString());
                case "attempt" -> command.setAttempt(in.getValueAsInt());
                case "reason" -> command.setReason(in.getValueAsString(""));
                case "issued_at_ms" -> command.setIssuedAtMs(in.getValueAsLong());
                case "expires_at_ms" -> command.setExpiresAtMs(in.getValueAsLong());
                case "action" -> {
                    for (CommandAction action : CommandAction.values()) {
                        if (action.toString().equals(in.getValueAsString())) {
                            command.setAction(action);
                            known = true;
                        }
                    }
                }
                default -> in.skipChildren();
            }
        }
        return known && command.getCommandId() != null && command.getRunId() != null ? command : null;
    }
}
