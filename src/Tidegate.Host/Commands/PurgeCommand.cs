using System.CommandLine;
using System.Text;
using System.Text.Json;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate purge</c>: tells a running gateway, over its admin listener, which stored answers are no longer true.</summary>
internal static class PurgeCommand
{
    private const string PurgePath = "/api/v1/cache/purge";

    public static Command Create()
    {
        var url = new Option<string?>("--url") { Description = "One URL, with its query." };
        var prefix = new Option<string?>("--prefix") { Description = "Every URL that begins so." };
        var tag = new Option<string?>("--tag") { Description = "Answers of --api with this Surrogate-Key or Cache-Tag." };
        var api = new Option<string?>("--api") { Description = "Every answer of an API; with --tag, those with the tag." };
        var consumer = new Option<string?>("--consumer") { Description = "What is kept for one consumer; anonymous for those without a name." };
        var credential = new Option<string?>("--credential-env") { Description = "What is kept for calls with this credential: the environment variable that holds the field's value." };
        var header = new Option<string?>("--header") { Description = "The field that carries it. Default: Authorization." };
        var all = new Option<bool>("--all") { Description = "Everything." };
        var soft = new Option<bool>("--soft") { Description = "Make it stale instead of gone: it can still be validated, and stand in for errors." };
        var (admin, token) = AdminClient.Options();
        var command = new Command("purge", "Drop stored answers of a running gateway.") { url, prefix, tag, api, consumer, credential, header, all, soft, admin, token };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetRequiredValue(admin),
            parsed.GetValue(token),
            parsed.GetValue(credential),
            secret => Json(
                [
                    ("url", parsed.GetValue(url)), ("prefix", parsed.GetValue(prefix)), ("tag", parsed.GetValue(tag)), ("api", parsed.GetValue(api)), ("consumer", parsed.GetValue(consumer)),
                    ("credential", secret), ("header", parsed.GetValue(header)),
                ],
                parsed.GetValue(all),
                parsed.GetValue(soft)),
            parsed.InvocationConfiguration,
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string admin, string? tokenName, string? credentialName, Func<string?, string> purge, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        using var client = AdminClient.Of(admin, tokenName, out var problem);
        if (client is not null)
        {
            // On the command line everybody on the machine could read it.
            var credential = credentialName is null ? null : Environment.GetEnvironmentVariable(credentialName);
            if (credentialName is not null && string.IsNullOrEmpty(credential))
            {
                await console.Error.WriteLineAsync($"The environment variable {credentialName} is not set. --credential-env names the one that holds the field's value, for example Bearer and the token.");
                return ExitCode.Configuration;
            }

            using var content = new StringContent(purge(credential), Encoding.UTF8, "application/json");
            (var answer, problem) = await client.SendAsync(HttpMethod.Post, PurgePath, content, cancellationToken);
            answer?.Dispose();
            if (problem.Length == 0)
            {
                await console.Output.WriteLineAsync("Purged.");
                return ExitCode.Success;
            }
        }

        await console.Error.WriteLineAsync(problem);
        return ExitCode.Configuration;
    }

    private static string Json((string Name, string? Value)[] named, bool all, bool soft)
    {
        var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (name, value) in named)
            {
                if (value is not null)
                {
                    json.WriteString(name, value);
                }
            }

            json.WriteBoolean("all", all);
            json.WriteBoolean("soft", soft);
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
