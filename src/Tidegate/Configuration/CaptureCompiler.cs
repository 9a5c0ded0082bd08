using Tidegate.Policies;
using Tidegate.Policies.Capture;

namespace Tidegate.Configuration;

/// <summary>Compiles of which exchanges headers and content are kept.</summary>
internal sealed class CaptureCompiler(ConfigPositions positions, List<ConfigProblem> problems, CompilerServices services)
{
    // More than this of one exchange nobody reads, and a few of them would be all that is kept.
    private const long MaxBody = 1024 * 1024;

    /// <summary>Finds what cannot be meant.</summary>
    public void Check(GatewayConfig config)
    {
        if (config.Recording.Capture is not { } capture)
        {
            return;
        }

        if (capture is { Sample: null or 0, Errors: false, SlowerThan: null })
        {
            Problem(capture, null, "capture chooses nothing; write sample, errors or slower_than");
        }

        if (capture.MaxBody > MaxBody)
        {
            Problem(capture, "max_body", "max_body is at most 1MB");
        }

        var room = CapturePolicy.RoomOf(capture.MaxBody ?? CaptureSettings.DefaultMaxBodyBytes);
        if (capture.Memory < room)
        {
            Problem(capture, "memory", string.Create(System.Globalization.CultureInfo.InvariantCulture, $"memory is less than one exchange may take ({room} bytes); make it larger, or max_body smaller"));
        }

        for (var i = 0; i < capture.Apis.Count; i++)
        {
            if (!config.Apis.Any(api => api.Name == capture.Apis[i]))
            {
                var meant = Suggestion.For(capture.Apis[i], config.Apis.Select(api => api.Name));
                problems.Add(new ConfigProblem(positions.Of(capture, "apis", i), ConfigSeverity.Error, $"there is no API '{capture.Apis[i]}'" + (meant is null ? "" : $", did you mean '{meant}'?")));
            }
        }
    }

    /// <summary>An API's policy; none where nothing is kept of it.</summary>
    public IEnumerable<IPolicy> Compile(GatewayConfig config, ApiConfig api, long version)
    {
        if (config.Recording.Capture is not { } capture || (capture.Apis.Count > 0 && !capture.Apis.Contains(api.Name)))
        {
            yield break;
        }

        // Whatever the API's own keys travel in is secret, whatever it is called.
        var names = capture.Redact.Concat(api.Authenticate.Select(authenticate => authenticate.ApiKey?.Header).OfType<string>()).Concat(api.Credential is { } credential ? [credential.Header] : []);
        yield return new CapturePolicy(
            new CaptureSettings
            {
                Version = version,
                Sample = capture.Sample ?? 0,
                Errors = capture.Errors,
                SlowerThan = capture.SlowerThan,
                MaxBodyBytes = capture.MaxBody ?? CaptureSettings.DefaultMaxBodyBytes,
                Redaction = new Redaction(names),
            },
            services.Captures,
            services.Random,
            services.Time);
    }

    private void Problem(object record, string? key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
