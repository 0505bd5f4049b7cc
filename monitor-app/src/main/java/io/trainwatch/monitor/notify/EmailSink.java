package io.trainwatch.monitor.notify;

import io.trainwatch.alert.Severity;
import jakarta.mail.Authenticator;
import jakarta.mail.Message;
import jakarta.mail.MessagingException;
import jakarta.mail.PasswordAuthentication;
import jakarta.mail.SendFailedException;
import jakarta.mail.Session;
import jakarta.mail.Transport;
import jakarta.mail.internet.InternetAddress;
import jakarta.mail.internet.MimeMessage;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.Properties;

/**
 * Mail by SMTP, as plain text. Mails of one incident are one thread, by the {@code Message-ID} of its first one; a mail
 * that is sent twice has the same {@code Message-ID}.
 */
final class EmailSink implements Sink {
    private final EmailServer server;
    private final Session session;

    EmailSink(EmailServer server) {
        this.server = server;
        String limit = Long.toString(Http.LIMIT.toMillis());
        Properties properties = new Properties();
        properties.put("mail.smtp.host", server.host());
        properties.put("mail.smtp.port", Integer.toString(server.port()));
        properties.put("mail.smtp.connectiontimeout", limit);
        properties.put("mail.smtp.timeout", limit);
        properties.put("mail.smtp.writetimeout", limit);
        properties.put("mail.smtp.auth", Boolean.toString(server.user() != null));
        properties.put(
                "mail.smtp.starttls.enable", Boolean.toString(server.security() == EmailServer.Security.STARTTLS));
        properties.put(
                "mail.smtp.starttls.required", Boolean.toString(server.security() == EmailServer.Security.STARTTLS));
        properties.put("mail.smtp.ssl.enable", Boolean.toString(server.security() == EmailServer.Security.TLS));
        properties.put("mail.smtp.ssl.checkserveridentity", "true");
        Secret password = server.password();
        session = Session.getInstance(properties, new Authenticator() {
            @Override
            protected PasswordAuthentication getPasswordAuthentication() {
                return new PasswordAuthentication(server.user(), password == null ? "" : password.value());
            }
        });
    }

    @Override
    public Receipt tell(Page page) {
        try {
            Transport.send(message(page));
            return new Receipt.Told("accepted by " + target());
        } catch (SendFailedException e) {
            return e.getInvalidAddresses() != null && e.getInvalidAddresses().length > 0
                    ? new Receipt.Refused(PlainText.line(String.valueOf(e.getMessage()), 200))
                    : new Receipt.Unavailable(reason(e), null);
        } catch (MessagingException e) {
            return new Receipt.Unavailable(reason(e), null);
        }
    }

    private static String reason(MessagingException e) {
        return PlainText.line(e.getClass().getSimpleName() + ": " + e.getMessage(), 200);
    }

    private MimeMessage message(Page page) throws MessagingException {
        String thread = id(page.key(), 1);
        MimeMessage message = new MimeMessage(session) {
            @Override
            protected void updateMessageID() throws MessagingException {
                setHeader("Message-ID", id(page.key(), page.number()));
            }
        };
        message.setFrom(new InternetAddress(server.from()));
        for (String to : server.to()) {
            message.addRecipient(Message.RecipientType.TO, new InternetAddress(to));
        }
        message.setSubject(
                (page.test() ? "[test] " : "") + (page.isResolved() ? "" : "[" + page.severity() + "] ") + page.title(),
                StandardCharsets.UTF_8.name());
        message.setText(PageText.plain(page), StandardCharsets.UTF_8.name());
        message.setHeader(
                "Date",
                DateTimeFormatter.RFC_1123_DATE_TIME.format(
                        Instant.ofEpochMilli(page.atMs()).atOffset(ZoneOffset.UTC)));
        if (page.number() > 1) {
            message.setHeader("In-Reply-To", thread);
            message.setHeader("References", thread);
        }
        if (page.severity() == Severity.critical && !page.isResolved()) {
            message.setHeader("X-Priority", "1");
        }
        message.setHeader("Auto-Submitted", "auto-generated");
        message.setHeader("X-Trainwatch-Key", page.key());
        return message;
    }

    private static String id(String key, int number) {
        return "<" + key + "." + number + "@trainwatch>";
    }

    @Override
    public String target() {
        return "smtp://" + server.host() + ":" + server.port();
    }
}
