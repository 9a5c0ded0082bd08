using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Limits;
using Tidegate.Policies.Limits.Costs;
using Tidegate.Policies.Limits.Learning;
using Tidegate.Policies.Limits.Signals;

namespace Tidegate.Configuration;

/// <summary>Finds an API's provider, and compiles what its file says into limits and into what is read from its answers.</summary>
internal sealed class ProviderCompiler(ConfigPositions positions, List<ConfigProblem> problems, ProviderPacks packs)
{
    private const string None = "none";

    private readonly Dictionary<string, SignalDialect> _dialects = [];
    private readonly Dictionary<string, LearningSettings?> _learning = [];

    /// <summary>The API's provider: the one that is written, else the one that lists its host.</summary>
    public ProviderPackConfig? PackOf(ApiConfig api)
    {
        if (api.Provider is null)
        {
            return api.Direction == Direction.Egress ? packs.FindByHost(api.Hosts) : null;
        }

        return api.Provider == None ? null : packs.Find(api.Provider);
    }

    /// <summary>Finds what cannot be meant.</summary>
    public void Check(ApiConfig api)
    {
        if (api.Direction == Direction.Ingress && (api.Provider is not null || api.Learn is not null))
        {
            Problem(api, api.Provider is not null ? "provider" : "learn", "provider and learn are for egress APIs: our own services' limits are written, not learned");
        }
        else if (api.Provider is { } name and not None && packs.Find(name) is null)
        {
            var known = packs.All.Select(pack => pack.Name).Order(StringComparer.Ordinal).ToList();
            var meant = Suggestion.For(name, known);
            Problem(api, "provider", $"there is no provider '{name}'" + (meant is null ? $"; known are {string.Join(", ", known)}, what providers lists, and none" : $", did you mean '{meant}'?"));
        }
    }

    /// <summary>The provider's limits as an API would write them. They wait for room rather than refuse: nobody asked for refusals.</summary>
    public static IReadOnlyList<LimitConfig> LimitsOf(ProviderPackConfig pack) =>
        [.. pack.Limits.Select(LimitOf)];

    /// <summary>One of them.</summary>
    public static LimitConfig LimitOf(ProviderLimitConfig limit) => new()
    {
        Name = limit.Name,
        Rate = limit.Rate,
        Burst = limit.Burst,
        Quota = limit.Quota,
        TimeZone = limit.TimeZone,
        ResetDay = limit.ResetDay,
        Concurrency = limit.Concurrency,
        Per = limit.Per,
        Path = limit.Path,
        ExceptPath = limit.ExceptPath,
        Methods = limit.Methods,
        Cost = limit.Cost,
        WhenExceeded = WhenExceeded.Queue,
    };

    /// <summary>The API's limits, or its provider's where it has none.</summary>
    public IReadOnlyList<LimitConfig> LimitsOf(ApiConfig api) =>
        api.Limits.Count == 0 && api.Learn != LearnMode.Off && PackOf(api) is { } pack ? LimitsOf(pack) : api.Limits;

    /// <summary>How the API learns; null when it does not. The same for all of its endpoints, which share what is learned.</summary>
    public LearningSettings? LearningOf(ApiConfig api)
    {
        if (!_learning.TryGetValue(api.Name, out var learning))
        {
            _learning[api.Name] = learning = Learning(api, [.. LimitsOf(api), .. api.Endpoints.SelectMany(endpoint => endpoint.Limits)]);
        }

        return learning;
    }

    /// <summary>The fields in which the API's provider tells of its limits; none where nothing more is known of it than of others.</summary>
    public IReadOnlyList<byte[]> LimitFieldsOf(ApiConfig api) => PackOf(api) is { } pack ? DialectOf(pack).FieldNames : [];

    private LearningSettings? Learning(ApiConfig api, IReadOnlyList<LimitConfig> limits)
    {
        var pack = PackOf(api);
        var mode = api.Learn ?? (pack is not null || limits.Count > 0 ? LearnMode.On : LearnMode.Off);
        if (api.Direction == Direction.Ingress || mode == LearnMode.Off)
        {
            return null;
        }

        var waits = limits.Where(limit => limit.WhenExceeded == WhenExceeded.Queue).Select(limit => limit.MaxWait ?? LimitCompiler.DefaultMaxWait).ToList();
        return new LearningSettings
        {
            Provider = pack?.Name,
            Dialect = pack is null ? SignalDialect.Common : DialectOf(pack),
            Mode = mode == LearnMode.Observe ? PolicyMode.Observe : PolicyMode.Enforce,
            WhenExceeded = waits.Count > 0 || api.Queue is not null ? WhenExceeded.Queue : WhenExceeded.Reject,
            MaxWait = waits.Count > 0 ? waits.Max() : LimitCompiler.DefaultMaxWait,
            PerCredential = api.Credential is not { Keys.Count: 0 },
            PerDestination = UpstreamCompiler.Accounts(api).Count > 0,
            PerHost = pack?.Per == ProviderPerConfig.Host,
            Buckets = pack?.Bucket is { } bucket ? new BucketRule(bucket.Header is null, bucket.PathSegments, bucket.ByMethod, bucket.OwnerSegments ?? 0, bucket.CoolsAlone) : null,
            LimitsAreTheProviders = pack is not null && api.Limits.Count == 0,
        };
    }

    private SignalDialect DialectOf(ProviderPackConfig pack)
    {
        if (!_dialects.TryGetValue(pack.Name, out var dialect))
        {
            _dialects[pack.Name] = dialect = Dialect(pack);
        }

        return dialect;
    }

    internal static SignalDialect Dialect(ProviderPackConfig pack) => new(
        [.. pack.Windows.Select(window => new WindowForm
        {
            Name = window.Name,
            Unit = window.Unit,
            Refills = window.Refills,
            Period = window.Period ?? TimeSpan.Zero,
            ResetForm = window.ResetIn,
            Limit = window.Limit,
            Remaining = window.Remaining,
            Used = window.Used,
            Reset = window.Reset,
            ResetAfter = window.ResetAfter,
            UsedOfLimit = window.UsedOfLimit,
            Content = window.Content is { } content ? new WindowContent(window.Name, content.Path, Pointer(content.Limit), Pointer(content.Remaining), Pointer(content.PerSecond), content.Charged is { } charged ? Pointer(charged) : null) : null,
        })],
        [.. pack.Errors.Select(error => new ErrorClass(error.Status, error.Kind, error.Header, error.Value, error.Code, error.Path))],
        pack.Bucket?.Header,
        pack.Bucket?.GlobalHeader);

    // Every one was looked at when the file was read.
    private static JsonPointer Pointer(string text) => JsonPointer.TryParse(text)!;

    private void Problem(ApiConfig api, string key, string message) => problems.Add(new ConfigProblem(positions.Of(api, key), ConfigSeverity.Error, message));
}
