using System.Collections.Frozen;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Tidegate.Policies;
using Tidegate.Policies.Fallback;

namespace Tidegate.Configuration;

/// <summary>Compiles what is answered when there is no answer.</summary>
internal sealed class FallbackCompiler(ConfigPositions positions, List<ConfigProblem> problems, TimeProvider time)
{
    /// <summary>What it stands in for when nothing is written.</summary>
    public static readonly IReadOnlyList<string> DefaultWhen = ["failure", "circuit_open"];

    // Held in memory for as long as the configuration is in force.
    private const int MaxFileBytes = 1024 * 1024;

    private static readonly string[] Words = ["failure", "circuit_open", "limit"];

    /// <summary>The files that fallbacks are read from.</summary>
    public static IEnumerable<string> Files(GatewayConfig config) =>
        config.Apis.SelectMany(api => api.Endpoints.Select(endpoint => endpoint.Fallback).Prepend(api.Fallback)).Select(fallback => fallback?.File).OfType<string>();

    public IEnumerable<IPolicy> Compile(ApiConfig api, EndpointConfig? endpoint)
    {
        if ((endpoint?.Fallback ?? api.Fallback) is not { } config)
        {
            yield break;
        }

        var status = config.Status ?? FallbackSettings.DefaultStatus;
        var contentType = config.ContentType ?? FallbackSettings.DefaultContentType;
        if (status is < 200 or > 599)
        {
            Problem(config, "status", $"{status} is no answer; write 200 to 599");
        }

        if (contentType.Length == 0 || contentType.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            Problem(config, "content_type", "content_type must be a media type, for example application/json");
        }

        var content = Content(config);
        if (content.Length > 0 && status is 204 or 205 or 304)
        {
            Problem(config, "status", $"an answer with {status} has no content; remove body or file, or write another status");
        }

        if (content.Length > 0 && contentType == FallbackSettings.DefaultContentType && !IsJson(content))
        {
            Problem(config, config.File is null ? "body" : "file", "the content is no JSON; write it as JSON, or say what it is with content_type");
        }

        var when = config.When.Count > 0 ? config.When : DefaultWhen;
        yield return new FallbackPolicy(new FallbackSettings
        {
            Status = status,
            ContentType = contentType,
            Content = content,
            OnFailure = when.Contains("failure"),
            OnCircuitOpen = when.Contains("circuit_open"),
            OnLimit = when.Contains("limit"),
            Statuses = Statuses(config),
            Mode = config.Mode,
        }, time);
    }

    private byte[] Content(FallbackConfig config)
    {
        if (config.File is not { } file)
        {
            return Encoding.UTF8.GetBytes(config.Body ?? "");
        }

        if (config.Body is not null)
        {
            Problem(config, "file", "body and file are both written; keep one");
        }

        try
        {
            using var stream = File.OpenRead(file);
            if (stream.Length <= MaxFileBytes)
            {
                var content = new byte[stream.Length];
                stream.ReadExactly(content);
                return content;
            }

            Problem(config, "file", $"the file '{file}' is larger than {MaxFileBytes / (1024 * 1024)}MB, which is too much to hold in memory");
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            Problem(config, "file", $"the file '{file}' cannot be read: {unreadable.Message}");
        }

        return [];
    }

    private FrozenSet<int> Statuses(FallbackConfig config)
    {
        var statuses = new HashSet<int>();
        for (var i = 0; i < config.When.Count; i++)
        {
            var word = config.When[i];
            if (int.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var status) && status is >= 400 and <= 599)
            {
                statuses.Add(status);
            }
            else if (!Words.Contains(word))
            {
                var meant = Suggestion.For(word, Words);
                problems.Add(new ConfigProblem(positions.Of(config, "when", i), ConfigSeverity.Error, $"'{word}' is nothing to stand in for; use {string.Join(", ", Words)}, or a status from 400 to 599" + (meant is null ? "" : $" (did you mean '{meant}'?)")));
            }
        }

        return statuses.ToFrozenSet();
    }

    private static bool IsJson(byte[] content)
    {
        try
        {
            using var document = JsonDocument.Parse(content);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private void Problem(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
