using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Forwarding;
using Tidegate.Policies;
using Tidegate.Policies.Access;
using Tidegate.Policies.Authentication;
using Tidegate.Policies.Cache.Disk;
using Tidegate.Policies.CircuitBreaker;
using Tidegate.Routing;

namespace Tidegate.Configuration;

/// <summary>
/// Turns bound records into a snapshot, and finds what only shows when all of them are looked at together: duplicate names, routes
/// that overlap, unknown consumers, addresses and certificates that cannot be used.
/// </summary>
internal sealed class SnapshotCompiler
{
    private readonly GatewayConfig _config;
    private readonly ConfigPositions _positions;
    private readonly CompilerServices _services;
    private readonly long _version;
    private readonly IReadOnlyList<FileStamp> _files;
    private readonly string _stateDirectory;
    private readonly Func<string, string> _mask;
    private readonly List<ConfigProblem> _problems;
    private readonly ProviderCompiler _providers;
    private readonly List<Route> _routes = [];
    private readonly List<RoutePlan> _plans = [];
    private readonly List<Action> _effects = [];

    private SnapshotCompiler(LoadedConfiguration loaded, CompilerServices services, long version)
    {
        _config = loaded.Config!;
        _positions = loaded.Positions;
        _services = services;
        _version = version;
        _files = loaded.Files;
        _mask = loaded.Mask;
        _stateDirectory = StateDirectory.Of(_config, loaded.Files.FirstOrDefault()?.Path, loaded.Environment);
        _problems = [.. loaded.Problems];
        _providers = new ProviderCompiler(_positions, _problems, loaded.Packs);
    }

    /// <summary>Compiles. Null when there is an error; the problems then say every one, those of loading included.</summary>
    public static (CompiledConfiguration? Compiled, IReadOnlyList<ConfigProblem> Problems) Compile(LoadedConfiguration loaded, CompilerServices services, long version = 1)
    {
        if (loaded.Config is null)
        {
            return (null, loaded.Problems);
        }

        var compiler = new SnapshotCompiler(loaded, services, version);
        var compiled = compiler.Compile();
        return (compiled, compiler._problems);
    }

    private CompiledConfiguration? Compile()
    {
        var listeners = new ListenerCompiler(_positions, _problems).Compile(_config, _stateDirectory);
        var control = new ControlCompiler(_positions, _problems).Compile(_config, listeners);
        var consumers = Consumers();

        // Looked at before they are read: what changes in between is then seen as a change.
        var watched = listeners.SelectMany(ListenerCompiler.Files).Concat(FallbackCompiler.Files(_config)).Select(FileStamp.Of).ToList();
        if (_config.Cache.Disk is { MaxSize: < DiskTier.MinBytes } disk)
        {
            Error(disk, "max_size", "max_size is at least 16MB");
        }

        new CaptureCompiler(_positions, _problems, _services).Check(_config);
        foreach (var api in _config.Apis)
        {
            Api(api, consumers);
        }

        new RouteConflicts(_positions, _problems).Find(_config.Apis);
        for (var i = 0; i < _problems.Count; i++)
        {
            _problems[i] = _problems[i] with { Message = _mask(_problems[i].Message) };
        }

        if (_problems.Any(problem => problem.Severity == ConfigSeverity.Error))
        {
            return null;
        }

        var snapshot = new GatewaySnapshot { Version = _version, Routes = new RouteTable(_routes), Plans = _plans, Unlisted = Unlisted(consumers) };
        return new CompiledConfiguration
        {
            Snapshot = snapshot,
            Listeners = listeners,
            Control = control,
            Config = _config,
            Effective = EffectiveConfig.Of(_config, _positions, DefaultTunnel),
            Positions = _positions,
            Files = _files,
            Watched = [.. _files, .. watched],
            Warnings = _problems,
            StateDirectory = _stateDirectory,
            Effects = _effects,
        };
    }

    private CredentialIndex Consumers()
    {
        var credentials = new List<ApiKeyCredential>();
        var owners = new Dictionary<string, string>();
        var names = new HashSet<string>();
        foreach (var config in _config.Consumers)
        {
            if (!names.Add(config.Name))
            {
                Error(config, "name", $"there are two consumers named '{config.Name}'");
            }

            if (config.Name == Consumer.Anonymous.Name)
            {
                Error(config, "name", "'anonymous' is what callers without a credential are called; choose another name");
            }

            var consumer = new Consumer(config.Name, config.Tenant, config.Environment);
            foreach (var credential in config.Credentials)
            {
                var hash = Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(credential.ApiKey.Value)));
                if (credential.ApiKey.Value.Length < 8)
                {
                    Error(credential, "api_key", "an API key needs at least 8 characters");
                }
                else if (!owners.TryAdd(hash, config.Name))
                {
                    Error(credential, "api_key", $"this key already belongs to '{owners[hash]}'");
                }
                else
                {
                    credentials.Add(new ApiKeyCredential(credential.ApiKey.Value, consumer));
                }
            }
        }

        return new CredentialIndex(credentials);
    }

    private void Api(ApiConfig api, CredentialIndex credentials)
    {
        var tunnel = api.Tunnel ?? DefaultTunnel(api);
        var upstream = new UpstreamCompiler(_positions, _problems).Compile(api, _config.Defaults, tunnel);
        var hosts = new ApiChecks(_positions, _problems).Check(api, _config);
        var retries = new RetryCompiler(_positions, _problems, _services, _providers, _stateDirectory);
        _providers.Check(api);
        var limits = new LimitCompiler(_positions, _problems, _services.Limits, _providers, _config.Consumers);
        var adaptive = new AdaptiveCompiler(_positions, _problems, _services);
        var cache = new CacheCompiler(_positions, _problems, _services.Cache, _providers);
        var injected = new CredentialCompiler(_positions, _problems, _services, _effects);
        injected.Check(api);
        var hedges = new HedgeCompiler(_positions, _problems, _services, _effects);
        var fallbacks = new FallbackCompiler(_positions, _problems, _services.Time);
        var webhooks = new WebhookCompiler(_positions, _problems, _services, _config.Apis);
        var costs = new CostCompiler(_positions, _problems, _services.Limits);
        var baseHost = hosts.FirstOrDefault(host => !host.StartsWith('*'));
        foreach (var endpoint in new EndpointConfig?[] { null }.Concat(api.Endpoints))
        {
            var route = new Route
            {
                Index = _plans.Count,
                Direction = api.Direction,
                ApiName = api.Name,
                EndpointName = endpoint is null ? "" : EndpointName(endpoint),
                Hosts = hosts,
                PathPrefix = api.Path,
                EndpointPath = endpoint?.Match.Path,
                Methods = endpoint?.Match.Methods ?? [],
                BasePath = api.BasePath,
            };
            var routeUpstream = endpoint is null ? upstream : upstream with { Timeouts = UpstreamCompiler.Timeouts(upstream.Timeouts, endpoint.Timeouts) };
            var forward = new ForwardStep(_services.Forwarder, routeUpstream, tunnel);
            _routes.Add(route);
            _plans.Add(new RoutePlan
            {
                Route = route,
                Upstream = routeUpstream,
                Pipeline = new PolicyPipeline([.. Policies(api, endpoint, routeUpstream, credentials, injected), .. fallbacks.Compile(api, endpoint), .. limits.Compile(api, endpoint, routeUpstream.Timeouts.Total), .. adaptive.Concurrency(api, endpoint), .. webhooks.Compile(api, endpoint), .. Cached(cache, api, endpoint), .. retries.Compile(api, endpoint, routeUpstream.Timeouts.Total), .. hedges.Compile(api, endpoint), .. costs.Compile(api, endpoint)], forward.InvokeAsync),
                BaseTarget = baseHost is null ? null : new Destination("https", baseHost, 443),
                AllowEncodedSlash = api.AllowEncodedSlash || api.Direction == Direction.Egress,
                Tunnel = tunnel,
                MaxRequestBodyBytes = api.MaxRequestBody,
            });
        }
    }

    private static IEnumerable<IPolicy> Cached(CacheCompiler cache, ApiConfig api, EndpointConfig? endpoint) => cache.Compile(api, endpoint) is { } policy ? [policy] : [];

    private List<IPolicy> Policies(ApiConfig api, EndpointConfig? endpoint, Upstream upstream, CredentialIndex credentials, CredentialCompiler credentialCompiler)
    {
        // Capture first: it is to see what the client sent.
        var policies = new List<IPolicy>(new CaptureCompiler(_positions, _problems, _services).Compile(_config, api, _version)) { new AuthenticationPolicy(credentials, Authentication(api)) };
        if ((endpoint?.Access ?? api.Access) is { } access)
        {
            policies.Add(new AccessPolicy(new AccessSettings { Consumers = access.Consumers, Methods = access.Methods, Mode = access.Mode }));
        }

        // Before the limits, which stand behind it in the same stage: what is not sent takes nothing from them.
        if ((endpoint?.CircuitBreaker ?? api.CircuitBreaker) is { } breaker)
        {
            var circuit = _services.Circuits.Of(api.Name, endpoint?.CircuitBreaker is null ? "" : EndpointName(endpoint));
            policies.Add(new CircuitBreakerPolicy(CircuitBreaker(breaker), circuit, _services.Time));
        }

        // What the circuit keeps back says nothing new about the upstream.
        policies.AddRange(new AdaptiveCompiler(_positions, _problems, _services).Throttle(api, endpoint));
        if (upstream.Destinations.Count > 1)
        {
            // Around the keys and limits: those are another account's where the destination is. Where nothing is learned, and the key is the gateway's, a throttle is about the destination's account.
            var isLearned = _providers.LearningOf(api) is { Mode: PolicyMode.Enforce };
            policies.Add(new DestinationStep(_services.Forwarder.Balancer, upstream, throttlesSetAside: !isLearned && api.Credential is { Keys.Count: 0 }, _services.Time));
        }

        if (api.Credential is { } credential)
        {
            policies.Add(credentialCompiler.Compile(api, credential));
        }

        return policies;
    }

    private static CircuitBreakerSettings CircuitBreaker(CircuitBreakerConfig config) => new()
    {
        FailureRatio = config.FailureRatio ?? CircuitBreakerSettings.DefaultFailureRatio,
        Minimum = config.Minimum ?? CircuitBreakerSettings.DefaultMinimum,
        Window = config.Window ?? CircuitBreakerSettings.DefaultWindow,
        OpenFor = config.OpenFor ?? CircuitBreakerSettings.DefaultOpenFor,
        Probes = config.Probes ?? 1,
        Mode = config.Mode,
    };

    private static AuthenticationSettings Authentication(ApiConfig api) => api.Authenticate.FirstOrDefault() is not { } authenticate
        ? AuthenticationSettings.Undeclared
        : new AuthenticationSettings
        {
            Requirement = authenticate.Required ? CredentialRequirement.Required : CredentialRequirement.Optional,
            Header = authenticate.ApiKey?.Header ?? "X-Api-Key",
            Mode = authenticate.Mode,
        };

    private TunnelMode DefaultTunnel(ApiConfig api)
    {
        var looksInside = api.Credential is not null || api.Endpoints.Count > 0 || api.Limits.Count > 0 || api.Cache is not null || api.Access?.Methods.Count > 0 || api.Path != "/";
        return _config.Listeners.Egress?.Intercept == true ? TunnelMode.Intercept : looksInside ? TunnelMode.Refused : TunnelMode.Verified;
    }

    private RoutePlan? Unlisted(CredentialIndex credentials)
    {
        var choice = _config.Defaults.Egress.UnlistedHosts;
        if (choice == UnlistedHosts.Deny)
        {
            return null;
        }

        var upstream = new Upstream { Name = "", Destinations = [], Timeouts = UpstreamCompiler.Timeouts(UpstreamTimeouts.Default, _config.Defaults.Egress.Timeouts) };
        var policies = new List<IPolicy> { new AuthenticationPolicy(credentials, AuthenticationSettings.Undeclared) };
        if (choice == UnlistedHosts.Observe)
        {
            policies.Add(new UnlistedHostObserver());
        }

        // Tunnels of hosts that nobody listed are carried, never opened: interception is for APIs that somebody wrote down.
        return new RoutePlan
        {
            Route = new Route { Index = -1, Direction = Direction.Egress, ApiName = "", Hosts = [] },
            Upstream = upstream,
            Pipeline = new PolicyPipeline(policies, new ForwardStep(_services.Forwarder, upstream, TunnelMode.Verified).InvokeAsync),
            AllowEncodedSlash = true,
        };
    }

    /// <summary>The endpoint's name, or its methods and path.</summary>
    internal static string EndpointName(EndpointConfig endpoint) =>
        endpoint.Name ?? (endpoint.Match.Methods.Count == 0 ? endpoint.Match.Path : string.Join(',', endpoint.Match.Methods) + " " + endpoint.Match.Path);

    private void Error(object record, string key, string message) => _problems.Add(new ConfigProblem(_positions.Of(record, key), ConfigSeverity.Error, message));
}
