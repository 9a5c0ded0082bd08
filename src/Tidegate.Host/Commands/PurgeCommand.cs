using System.CommandLine;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Tidegate.Configuration;

namespace Tidegate.Host.Commands;

/// <summary><c>tidegate purge</c>: tells a running gateway, over its admin listener, which stored answers are no longer true.</summary>
internal static class PurgeCommand
{
    private const string PurgePath = "/api/v1/cache/purge";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    public static Command Create()
    {
        var url = new Option<string?>("--url") { Description = "One URL, with its query." };
        var prefix = new Option<string?>("--prefix") { Description = "Every URL that begins so." };
        var tag = new Option<string?>("--tag") { Description = "Answers of --api with this Surrogate-Key or Cache-Tag." };
        var api = new Option<string?>("--api") { Description = "Every answer of an API; with --tag, those with the tag." };
        var all = new Option<bool>("--all") { Description = "Everything." };
        var soft = new Option<bool>("--soft") { Description = "Make it stale instead of gone: it can still be validated, and stand in for errors." };
        var admin = new Option<string>("--admin") { Description = "The gateway's admin listener.", DefaultValueFactory = _ => AdminListenerConfig.DefaultAddress };
        var token = new Option<string?>("--token-env") { Description = "The environment variable that holds the admin token, where one is needed." };
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
        if (!Uri.TryCreate($"http://{admin}{PurgePath}", UriKind.Absolute, out var target) || target.AbsolutePath != PurgePath || target.Query.Length > 0 || target.UserInfo.Length > 0)
        {
            await console.Error.WriteLineAsync($"'{admin}' is no address. Write --admin HOST:PORT, for example {AdminListenerConfig.DefaultAddress}.");
            return ExitCode.Configuration;
        }

        var token = tokenName is null ? null : Environment.GetEnvironmentVariable(tokenName);
        if (tokenName is not null && string.IsNullOrEmpty(token))
        {
            await console.Error.WriteLineAsync($"The environment variable {tokenName} is not set. --token-env names the one that holds the admin token.");
            return ExitCode.Configuration;
        }

        // The listener is on this machine or one of our own: no proxy of the environment, which may be this very gateway, gets the token to see.
        using var client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = Patience };
        using var request = new HttpRequestMessage(HttpMethod.Post, target) { Content = new StringContent(purge, Encoding.UTF8, "application/json") };
        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        try
        {
            using var answer = await client.SendAsync(request, cancellationToken);
            var text = await answer.Content.ReadAsStringAsync(cancellationToken);
            if (answer.IsSuccessStatusCode)
            {
                await console.Output.WriteLineAsync("Purged.");
                return ExitCode.Success;
            }

            await console.Error.WriteLineAsync(Detail(text) ?? $"The gateway answered {(int)answer.StatusCode}.");
        }
        catch (Exception unreachable) when (unreachable is HttpRequestException or TaskCanceledException)
        {
            await console.Error.WriteLineAsync($"No gateway answers at {admin}: {unreachable.Message} Name its admin listener with --admin.");
        }

        return ExitCode.Configuration;
    }

    private static string? Detail(string problem)
    {
        try
        {
            using var document = JsonDocument.Parse(problem);
            return document.RootElement.TryGetProperty("detail", out var detail) ? detail.GetString() : null;
        }
        catch (JsonException)
        {
            // Something else answers on this port: its status says more than its text.
            return null;
        }
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
