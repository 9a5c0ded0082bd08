using System.CommandLine;
using System.Net.Http.Headers;
using System.Text.Json;
using Tidegate.Configuration;

namespace Tidegate.Host.Commands;

/// <summary>A running gateway's admin listener, for commands that ask it.</summary>
internal sealed class AdminClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    // The listener is on this machine or one of our own: no proxy of the environment, which may be this very gateway, gets the token to see.
    private readonly HttpClient _client = new(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false }) { Timeout = Patience };

    private AdminClient(Uri address, string? token)
    {
        _client.BaseAddress = address;
        _client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
    }

    /// <summary>The options that say where it is and how to get in.</summary>
    public static (Option<string> Address, Option<string?> TokenName) Options() => (
        new Option<string>("--admin") { Description = "The gateway's admin listener.", DefaultValueFactory = _ => AdminListenerConfig.DefaultAddress },
        new Option<string?>("--token-env") { Description = "The environment variable that holds the admin token, where one is needed." });

    /// <summary>A client for what the options say.</summary>
    /// <param name="address">Host and port.</param>
    /// <param name="tokenName">The variable that holds the token; null: there is none.</param>
    /// <param name="problem">What is wrong with them, and what to write; empty when nothing is.</param>
    public static AdminClient? Of(string address, string? tokenName, out string problem)
    {
        problem = "";
        if (!Uri.TryCreate($"http://{address}/", UriKind.Absolute, out var target) || target.AbsolutePath != "/" || target.Query.Length > 0 || target.UserInfo.Length > 0)
        {
            problem = $"'{address}' is no address. Write --admin HOST:PORT, for example {AdminListenerConfig.DefaultAddress}.";
            return null;
        }

        var token = tokenName is null ? null : Environment.GetEnvironmentVariable(tokenName);
        if (tokenName is not null && string.IsNullOrEmpty(token))
        {
            problem = $"The environment variable {tokenName} is not set. --token-env names the one that holds the admin token.";
            return null;
        }

        return new AdminClient(target, token);
    }

    /// <summary>Asks.</summary>
    /// <returns>The answer, or what to tell the user instead.</returns>
    public async Task<(JsonDocument? Answer, string Problem)> SendAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        try
        {
            using var request = new HttpRequestMessage(method, path) { Content = content };
            using var answer = await _client.SendAsync(request, cancellationToken);
            var text = await answer.Content.ReadAsStringAsync(cancellationToken);
            var document = Parse(text);
            return answer.IsSuccessStatusCode
                ? (document, document is null ? "What answers there is no gateway." : "")
                : (null, document?.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("detail", out var detail) ? detail.ToString() : $"The gateway answered {(int)answer.StatusCode}.");
        }
        catch (Exception unreachable) when (unreachable is HttpRequestException || (unreachable is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return (null, $"No gateway answers at {_client.BaseAddress!.Authority}: {unreachable.Message} Name its admin listener with --admin.");
        }
    }

    public void Dispose() => _client.Dispose();

    private static JsonDocument? Parse(string text)
    {
        try
        {
            return JsonDocument.Parse(text);
        }
        catch (JsonException)
        {
            // Something else answers on this port: its status says more than its text.
            return null;
        }
    }
}
