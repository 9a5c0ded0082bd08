// Calls that a Java program makes with java.net.http. Arguments in threes: a way, a URL, a proxy (host:port) or "-". Prints one line for each call.
import java.net.Authenticator;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;

class Client {
    public static void main(String[] arguments) throws Exception {
        var key = System.getenv("GATEWAY_KEY");
        for (var i = 0; i < arguments.length; i += 3) {
            var builder = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(20));
            var request = HttpRequest.newBuilder(URI.create(arguments[i + 1])).timeout(Duration.ofSeconds(30));
            if (arguments[i + 2].equals("-")) {
                builder.proxy(HttpClient.Builder.NO_PROXY);
                request.header("X-Api-Key", key);
            } else {
                var proxy = arguments[i + 2].split(":");
                builder.proxy(ProxySelector.of(new InetSocketAddress(proxy[0], Integer.parseInt(proxy[1]))));
                builder.authenticator(new Authenticator() {
                    @Override
                    protected PasswordAuthentication getPasswordAuthentication() {
                        return new PasswordAuthentication("key", key.toCharArray());
                    }
                });
            }

            switch (arguments[i]) {
                case "get" -> request.GET();
                case "get1" -> request.GET().version(HttpClient.Version.HTTP_1_1);
                case "post" -> request.POST(HttpRequest.BodyPublishers.ofByteArray(new byte[2_000_003]));
                case "expect" -> request.POST(HttpRequest.BodyPublishers.ofByteArray(new byte[2_000_003])).expectContinue(true).version(HttpClient.Version.HTTP_1_1);
                default -> throw new IllegalArgumentException(arguments[i]);
            }

            var answer = builder.build().send(request.build(), HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version() + " " + answer.body());
        }

        // The clients' threads would keep the process for a while.
        System.exit(0);
    }
}
