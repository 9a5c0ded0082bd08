using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Cache;

namespace Tidegate.Configuration;

/// <summary>Compiles what an API, or one of its endpoints in its place, says about caching.</summary>
internal sealed class CacheCompiler(ConfigPositions positions, List<ConfigProblem> problems, HttpCache cache, ProviderCompiler providers)
{
    /// <summary>8 MB: an eighth of the default store.</summary>
    public const long DefaultMaxEntryBytes = 8 << 20;

    /// <summary>One minute: longer than a restart or a lost connection, shorter than anybody takes old data for new.</summary>
    public static readonly TimeSpan DefaultStaleOnFailure = TimeSpan.FromMinutes(1);

    // A hash of the whole request would be a key of its own; more than this is a mistake.
    private const int MaxKeyHeaders = 16;

    /// <summary>The policy of a route; null when nothing is cached there.</summary>
    public IPolicy? Compile(ApiConfig api, EndpointConfig? endpoint)
    {
        if ((endpoint?.Cache ?? api.Cache) is not { } config || config.Mode == CacheMode.Off)
        {
            // RFC 9111 4.4: what is changed here may be stored by another route of the API.
            return Written(api).Any() ? new CachePolicy(new CacheSettings { Api = api.Name, Mode = CacheMode.Off, ApiQueries = Queries(api) }, cache) : null;
        }

        // What the API says is checked with the API, and not again with every endpoint.
        if (endpoint is null || endpoint.Cache is not null)
        {
            Check(config, endpoint);
        }

        var ttl = new TimeSpan?[10];
        (ttl[2], ttl[3], ttl[4], ttl[5]) = (config.Ttl?.Success, config.Ttl?.Redirect, config.Ttl?.ClientError, config.Ttl?.ServerError);
        return new CachePolicy(
            new CacheSettings
            {
                Api = api.Name,
                Mode = config.Mode,
                Partition = config.Partition ?? (api.Direction == Direction.Egress ? CachePartition.Credential : CachePartition.Consumer),
                InjectedCredential = api.Credential is { } credential ? Identity(credential) : 0,
                MaxEntryBytes = config.MaxEntry ?? DefaultMaxEntryBytes,
                Ttl = ttl,
                NegativeTtl = config.NegativeTtl,
                IsOverride = config.Override,
                StaleOnFailure = config.StaleOnFailure ?? DefaultStaleOnFailure,
                Query = Query(config),
                ApiQueries = Queries(api),
                KeyHeaders = (byte[][])[.. (config.Key?.Headers ?? []).Select(Encoding.ASCII.GetBytes)],
                AllowanceFields = providers.LimitFieldsOf(api),
                KeysBody = config.Key?.Body == true,
            },
            cache);
    }

    private void Check(CacheConfig config, EndpointConfig? endpoint)
    {
        if (config.Override && config.Ttl is null && config.NegativeTtl is null)
        {
            Problem(config, "override", "override needs ttl or negative_ttl: it says that they hold whatever the answer says");
        }

        if (config.Key is not { } key)
        {
            return;
        }

        if (key.QueryIgnore.Count > 0 && key.QueryAllow.Count > 0)
        {
            Problem(key, "query_allow", "query_allow and query_ignore exclude each other; keep one");
        }

        if (key.Headers.Count > MaxKeyHeaders || key.Headers.Any(name => name.Length == 0 || name.Any(letter => !char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_' or '.'))))
        {
            Problem(key, "headers", $"headers has at most {MaxKeyHeaders} names of fields, for example Accept-Language");
        }

        if (key.Body && endpoint is null)
        {
            Problem(key, "body", "body is for an endpoint whose POST only reads; say so there, not for the whole API");
        }
    }

    /// <summary>Whether anything of it is stored.</summary>
    public static bool Stores(ApiConfig api) => Written(api).Any();

    private static IEnumerable<CacheConfig> Written(ApiConfig api) =>
        api.Endpoints.Select(endpoint => endpoint.Cache).Append(api.Cache).OfType<CacheConfig>().Where(config => config.Mode != CacheMode.Off);

    /// <summary>Every rule by which the API's answers are stored under a part of their query.</summary>
    public static IReadOnlyList<QueryRule> Queries(ApiConfig api) => [.. Written(api).Select(Query)];

    private static QueryRule Query(CacheConfig config) => new(Set(config.Key?.QueryIgnore), Set(config.Key?.QueryAllow));

    /// <summary>Tells credentials apart without keeping one.</summary>
    private static UInt128 Identity(CredentialInjectionConfig credential) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', [credential.Header, .. CredentialCompiler.Values(credential).Order(StringComparer.Ordinal)]))));

    private static HashSet<string>? Set(IReadOnlyList<string>? names) => names is null or { Count: 0 } ? null : [.. names];

    private void Problem(object record, string key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
