import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.StringWriter;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import org.apache.velocity.VelocityContext;
import org.apache.velocity.app.VelocityEngine;

/**
 * Renders mapping templates with Apache Velocity, which API Gateway uses: test_velocity.py's judge.
 *
 * A line of standard input is one rendering, its fields in base64 and separated by tabs: template, request id, path
 * parameter, body, owner of the item (empty for no item), then names and values of claims. A line of output is text,
 * status and content type that the template set.
 */
public class Velocity {
    public static class Input {
        private final String id;
        private final String body;
        private final Object item;

        Input(String id, String body, Object item) {
            this.id = id;
            this.body = body;
            this.item = item;
        }

        public String getBody() {
            return body;
        }

        public String params(String name) {
            return id;
        }

        public Object path(String expression) {
            return item;
        }
    }

    public static class Util {
        public String base64Encode(String text) {
            return encoded(text);
        }

        public String urlEncode(String text) throws Exception {
            return URLEncoder.encode(text, "UTF-8");
        }
    }

    public static void main(String[] arguments) throws Exception {
        VelocityEngine engine = new VelocityEngine();
        engine.setProperty("runtime.log.logsystem.class", "org.apache.velocity.runtime.log.NullLogChute");
        engine.init();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] fields = line.split("\t", -1);
            for (int index = 0; index < fields.length; index++) {
                fields[index] = new String(Base64.getDecoder().decode(fields[index]), StandardCharsets.UTF_8);
            }
            Map<String, Object> claims = new HashMap<>();
            for (int index = 5; index + 1 < fields.length; index += 2) {
                claims.put(fields[index], fields[index + 1]);
            }
            Map<String, Object> header = new HashMap<>();
            Map<String, Object> override = new HashMap<>(Map.of("header", header));
            VelocityContext variables = new VelocityContext();
            variables.put("input", new Input(fields[2], fields[3], fields[4].isEmpty() ? null : item(fields[4])));
            variables.put("util", new Util());
            variables.put("context", new HashMap<>(Map.of(
                "requestId", fields[1], "authorizer", Map.of("claims", claims), "responseOverride", override)));
            StringWriter text = new StringWriter();
            engine.evaluate(variables, text, "template", fields[0]);
            System.out.println(encoded(text.toString()) + "\t" + encoded(String.valueOf(override.get("status"))) + "\t"
                + encoded(String.valueOf(header.get("Content-Type"))));
        }
    }

    private static Map<String, Object> item(String owner) {
        return Map.of(
            "ticket_id", Map.of("S", "tkt_0123456789ab"), "customer_id", Map.of("S", owner),
            "status", Map.of("S", "READY"), "sla_deadline", Map.of("S", "2026-01-31T12:00:00Z"));
    }

    private static String encoded(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
