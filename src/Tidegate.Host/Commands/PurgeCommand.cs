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
        var all = new Option<bool>("--all") { Description = "Everything." };
        var soft = new Option<bool>("--soft") { Description = "Make it stale instead of gone: it can still be validated, and stand in for errors." };
        var (admin, token) = AdminClient.Options();
        var command = new Command("purge", "Drop stored answers of a running gateway.") { url, prefix, tag, api, all, soft, admin, token };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetRequiredValue(admin),
            parsed.GetValue(token),
            Json(("url", parsed.GetValue(url)), ("prefix", parsed.GetValue(prefix)), ("tag", parsed.GetValue(tag)), ("api", parsed.GetValue(api)), parsed.GetValue(all), parsed.GetValue(soft)),
            parsed.InvocationConfiguration,
            cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(string admin, string? tokenName, string purge, InvocationConfiguration console, CancellationToken cancellationToken)
    {
        using var client = AdminClient.Of(admin, tokenName, out var problem);
        if (client is not null)
        {
            using var content = new StringContent(purge, Encoding.UTF8, "application/json");
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

    private static string Json((string, string?) url, (string, string?) prefix, (string, string?) tag, (string, string?) api, bool all, bool soft)
    {
        var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            foreach (var (name, value) in new[] { url, prefix, tag, api })
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
